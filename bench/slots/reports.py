"""Takes the reports of the tasks, as Airflow's API server would. A task sends it through its proxy, and then exits."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What runs in a pod. Its arguments are those that the executor gives to Airflow's own program: the workload is the last one.
# A classic proxy starts beside the task, so the first tries may fail.
PROGRAM = """
import json, sys, time, urllib.request
task = json.loads(sys.argv[-1])["ti"]["task_id"]
for _ in range(600):
    try:
        urllib.request.urlopen(urllib.request.Request(f"http://ADDRESS/{task}", method="POST"), timeout=30).read()
        break
    except OSError:
        time.sleep(0.2)
else:
    sys.exit(1)
"""


@contextlib.contextmanager
def receiving(report: Callable[[str], None], host: str) -> Iterator[str]:
    """Calls `report` with the name of each task that reports its success. Yields the address for the pods."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answers when the report is written."""
            report(self.path.removeprefix("/"))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Logs nothing."""

    server = ThreadingHTTPServer(("", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def host_towards(server: str) -> str:
    """The address of this machine on the way to a host."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((server, 9))
        return str(probe.getsockname()[0])
