"""A stand-in for Istio's pilot-agent: the parent of Envoy, as `Run` of Istio 1.26 and newer does it.

`POST /quitquitquit` on the status port ends Envoy by SIGKILL, at once (pkg/envoy/proxy.go, cmd.go of istio 1.26). SIGTERM drains
Envoy for `terminationDrainDuration` and then kills it. When Envoy has ended by itself, it exits 0; so the container ends.
It reports on stdout: `started` with Envoy's process id, `listening`, `killed`, `ended`.
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


def report(event: str, **fields: object) -> None:
    """One line on stdout."""
    os.write(1, (json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n").encode())


class Status(BaseHTTPRequestHandler):
    """The status server of port 15020, as far as a proxy's end is concerned."""

    envoy: "subprocess.Popen[bytes]"

    def do_POST(self) -> None:
        """`/quitquitquit`: answers, then kills."""
        if self.path != "/quitquitquit":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"OK")
        self.wfile.flush()
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


def drain_and_kill(envoy: "subprocess.Popen[bytes]", admin: int, seconds: float) -> None:
    """What SIGTERM does: drain the listeners, wait blindly, kill."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=2)
        connection.request("POST", "/drain_listeners?inboundonly&graceful&skip_exit")
        connection.getresponse().read()
    except OSError:
        pass
    time.sleep(seconds)
    envoy.kill()
    report("killed", why="SIGTERM")


def main() -> None:
    """Starts Envoy, serves, and ends when Envoy ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=15020)
    parser.add_argument("--admin", type=int, default=15000)
    parser.add_argument("--uid", type=int, help="the user to become, and Envoy with it")
    parser.add_argument("--drain", type=float, default=5.0, help="terminationDrainDuration in seconds")
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
    Status.envoy = envoy
    server = ThreadingHTTPServer(("127.0.0.1", options.port), Status)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    drain = threading.Thread(target=drain_and_kill, args=(envoy, options.admin, options.drain), daemon=True)
    signal.signal(signal.SIGTERM, lambda *_: drain.start())
    report("started", pid=envoy.pid)
    code = envoy.wait()
    report("ended", code=code)
    # Like pilot-agent: Envoy's own end is no failure, whichever way it came.
    os._exit(0)


if __name__ == "__main__":
    main()
