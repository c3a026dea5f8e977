"""A stand-in for Istio's pilot-agent: the parent of Envoy, as `Run` of Istio 1.26 and newer does it (istio pkg/envoy/agent.go).

When Envoy has ended by itself, in whichever way, it exits 0; so the container ends, and nobody starts Envoy again in it.
`POST /quitquitquit` on the status port ends Envoy by SIGKILL, at once. SIGTERM drains Envoy's inbound listeners, waits for
`terminationDrainDuration` (5 s) or, with EXIT_ON_ZERO_ACTIVE_CONNECTIONS, for MINIMUM_DRAIN_DURATION (5 s) and then, asking every
second, until no connection is left; then it kills Envoy. `POST /drain`, which is a native sidecar's preStop hook, drains the
inbound listeners; a SIGTERM after it kills at once.
It reports on stdout: `started` with Envoy's process id, `killed`, `ended`.
"""

import argparse
import ctypes

# Python loads it late, when the user may no longer reach the interpreter's home.
import encodings.idna  # noqa: F401
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

DRAIN = "/drain_listeners?inboundonly&graceful"
# Of these it does not count the connections (`knownIstioListeners`).
OWN_LISTENERS = ("0.0.0.0_15021", "0.0.0.0_15090", "admin", "admin.main_thread")


def report(event: str, **fields: object) -> None:
    """One line on stdout."""
    os.write(1, (json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n").encode())


class Status(BaseHTTPRequestHandler):
    """The status server of port 15020, as far as a proxy's end is concerned."""

    envoy: "subprocess.Popen[bytes]"
    admin: int
    drained = threading.Event()

    def do_POST(self) -> None:
        """`/quitquitquit`: answers, then kills. `/drain`: drains, then answers."""
        if self.path not in ("/quitquitquit", "/drain"):
            self.send_error(404)
            return
        if self.path == "/drain":
            ask_admin(self.admin, "POST", DRAIN + "&skip_exit")
            self.drained.set()
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"OK")
        self.wfile.flush()
        if self.path == "/quitquitquit":
            self.envoy.kill()
            report("killed", why="quitquitquit")

    def do_GET(self) -> None:
        """`/quitquitquit` takes POST only; the readiness probe is answered."""
        status = 405 if self.path == "/quitquitquit" else 200 if self.path == "/healthz/ready" else 404
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: reports are enough."""


def ask_admin(port: int, method: str, path: str) -> str:
    """Envoy's answer; empty where it gives none."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request(method, path)
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""


def active_connections(admin: int) -> int:
    """The connections of all listeners but Istio's own, as `activeProxyConnections` counts them; 0 where Envoy does not tell."""
    count = 0
    for line in ask_admin(admin, "GET", "/stats?usedonly&filter=downstream_cx_active$").splitlines():
        name, _, value = line.partition(": ")
        listener = name.removeprefix("listener.").removesuffix(".downstream_cx_active")
        if name.startswith("listener.") and "worker_" not in name and listener not in OWN_LISTENERS:
            count += int(value)
    return count


def drain_and_kill(envoy: "subprocess.Popen[bytes]", options: argparse.Namespace) -> None:
    """What SIGTERM does: drain the listeners, wait, kill."""
    if not Status.drained.is_set():
        ask_admin(options.admin, "POST", DRAIN + "&skip_exit")
        time.sleep(options.drain)
        while options.exit_on_zero and active_connections(options.admin) > 0:
            time.sleep(1)
    envoy.kill()
    report("killed", why="SIGTERM")


def main() -> None:
    """Starts Envoy, serves, and ends when Envoy ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=15020)
    parser.add_argument("--admin", type=int, default=15000)
    parser.add_argument("--uid", type=int, help="the user to become, and Envoy with it")
    parser.add_argument("--drain", type=float, default=5.0, help="terminationDrainDuration or MINIMUM_DRAIN_DURATION, in seconds")
    parser.add_argument("--exit-on-zero", action="store_true", help="EXIT_ON_ZERO_ACTIVE_CONNECTIONS")
    parser.add_argument("envoy", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    # Its process is known by that name, too (PR_SET_NAME, prctl(2)).
    ctypes.CDLL(None).prctl(15, b"pilot-agent", 0, 0, 0)
    argv = [word for word in options.envoy if word != "--"]
    if options.uid is not None:
        os.setgroups([])
        os.setgid(options.uid)
        os.setuid(options.uid)
    envoy = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=sys.stderr)
    Status.envoy, Status.admin = envoy, options.admin
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Status)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    drain = threading.Thread(target=drain_and_kill, args=(envoy, options), daemon=True)
    signal.signal(signal.SIGTERM, lambda *_: drain.start())
    report("started", pid=envoy.pid)
    code = envoy.wait()
    report("ended", code=code)
    # Like pilot-agent: Envoy's own end is no failure, whichever way it came.
    os._exit(0)


if __name__ == "__main__":
    main()
