"""The stand-in for an API server on a loopback port."""

import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chart.programs import Resource
from documents.cluster import Cluster, Refused, Request


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """A cluster on a loopback port, and its kubeconfig."""
    cluster = Cluster()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        """Hands requests to the cluster, one at a time."""

        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            request = Request(
                self.command,
                url.path,
                dict(urllib.parse.parse_qsl(url.query)),
                self.headers.get("Content-Type", "").partition(";")[0],
                self.rfile.read(int(self.headers.get("Content-Length", 0))),
            )
            try:
                with lock:
                    if url.path == "/empty":
                        cluster.empty()
                        self._send(200, "")
                        return
                    said = cluster.answer(request)
                self._send(201 if self.command == "POST" else 200, said)
            except Refused as refused:
                self._send(int(refused.status["code"]), refused.status)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

        def _send(self, code: int, said: Resource | str) -> None:
            is_text = isinstance(said, str)
            data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        kubeconfig = folder / "kubeconfig"
        one = {"cluster": "documents", "user": "documents", "namespace": "jobs"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "documents", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "contexts": [{"name": "documents", "context": one}],
            "users": [{"name": "documents", "user": {}}],
            "current-context": "documents",
        }
        kubeconfig.write_text(json.dumps(document))
        yield cluster, kubeconfig
        server.shutdown()
        thread.join()
