"""A stand-in for Istio's pilot-agent: the parent of Envoy, like `Run` of Istio 1.26 and newer (istio pkg/envoy/agent.go).

- When Envoy ends by itself, in any way, this process exits with 0. So the container ends, and Envoy is not started again.
- `POST /quitquitquit` on the status port kills Envoy with SIGKILL at once.
- SIGTERM drains Envoy's inbound listeners, waits, and then kills Envoy. It waits for `terminationDrainDuration` (5 s) or, with
  EXIT_ON_ZERO_ACTIVE_CONNECTIONS, for MINIMUM_DRAIN_DURATION (5 s) and then until Envoy reports no connection, once a second.
- `POST /drain`, the preStop hook of a native sidecar, drains the inbound listeners; a SIGTERM after it kills Envoy at once.

It reports on stdout: `started` with Envoy's process id, `killed`, `ended`.
"""

import argparse
import ctypes

# Python imports it on first use, when this process may no longer have access to the interpreter's folder.
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
# pilot-agent does not count the connections of these listeners (`knownIstioListeners`).
OWN_LISTENERS = ("0.0.0.0_15021", "0.0.0.0_15090", "admin", "admin.main_thread")


def report(event: str, **fields: object) -> None:
    """Writes one report to stdout."""
    os.write(1, (json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n").encode())


class Status(BaseHTTPRequestHandler):
    """The part of the status server on port 15020 that ends a proxy."""

    envoy: "subprocess.Popen[bytes]"
    admin: int
    drained = threading.Event()

    def do_POST(self) -> None:
        """`/quitquitquit` answers, then kills Envoy. `/drain` drains, then answers."""
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
        """Answers the readiness probe; refuses GET for `/quitquitquit`."""
        status = 405 if self.path == "/quitquitquit" else 200 if self.path == "/healthz/ready" else 404
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: the reports are enough."""


def ask_admin(port: int, method: str, path: str) -> str:
    """Envoy's answer; empty if there is none."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request(method, path)
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return ""


def active_connections(admin: int) -> int:
    """Counts connections as `activeProxyConnections` does, without those of Istio's own listeners; 0 if Envoy does not answer."""
    count = 0
    for line in ask_admin(admin, "GET", "/stats?usedonly&filter=downstream_cx_active$").splitlines():
        name, _, value = line.partition(": ")
        listener = name.removeprefix("listener.").removesuffix(".downstream_cx_active")
        if name.startswith("listener.") and "worker_" not in name and listener not in OWN_LISTENERS:
            count += int(value)
    return count


def drain_and_kill(envoy: "subprocess.Popen[bytes]", options: argparse.Namespace) -> None:
    """Handles SIGTERM: drains the listeners, waits, kills Envoy."""
    if not Status.drained.is_set():
        ask_admin(options.admin, "POST", DRAIN + "&skip_exit")
        time.sleep(options.drain)
        while options.exit_on_zero and active_connections(options.admin) > 0:
            time.sleep(1)
    envoy.kill()
    report("killed", why="SIGTERM")


def main() -> None:
    """Starts Envoy, serves requests, and ends when Envoy ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=15020)
    parser.add_argument("--admin", type=int, default=15000)
    parser.add_argument("--uid", type=int, help="the user of this process and of Envoy")
    parser.add_argument("--drain", type=float, default=5.0, help="terminationDrainDuration or MINIMUM_DRAIN_DURATION, in seconds")
    parser.add_argument("--exit-on-zero", action="store_true", help="EXIT_ON_ZERO_ACTIVE_CONNECTIONS")
    parser.add_argument("envoy", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    # The agent looks for this process name (PR_SET_NAME, prctl(2)).
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
    # Like pilot-agent: the end of Envoy is never a failure of the container.
    os._exit(0)


if __name__ == "__main__":
    main()
