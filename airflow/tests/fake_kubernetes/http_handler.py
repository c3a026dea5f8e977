"""Handles one HTTP request to the API server: objects, watches, logs and exec."""

import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from .exec_websocket import serve_exec
from .selectors import matches
from .store import Json

if TYPE_CHECKING:
    from .api_server import ApiServer, Node

_API_VERSIONS = {"pods": "v1", "jobs": "batch/v1", "events": "v1"}
_TRUE = ("true", "True", "1")

Query = dict[str, str]


class Handler(BaseHTTPRequestHandler):
    """One request. A subclass has the server as its attribute `api`."""

    api: "ApiServer"
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        if self.api.closed:
            # The scenario is over. A client that still waits for its pod learns that there is none.
            self.close_connection = True
            self._not_found(self.path)
            return
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        words = url.path.strip("/").split("/")
        if words == ["version"]:
            self._answer(200, self.api.version)
            return
        # /api/v1/namespaces/NAMESPACE/pods/NAME/log or /apis/batch/v1/namespaces/NAMESPACE/jobs/NAME
        words = words[2:] if words[0] == "api" else words[3:]
        kind = words[2] if len(words) > 2 and words[0] == "namespaces" else ""
        if kind not in _API_VERSIONS:
            self._not_found(url.path)
            return
        match words[3:]:
            case []:
                self._collection(kind, query)
            case [name] | [name, "status"]:
                self._object(kind, name)
            case [name, "log"]:
                self._log(name, query)
            case [name, *_]:
                serve_exec(self, lambda argv: self._node.execute(name, query["container"], argv))

    do_GET = do_POST = do_PATCH = do_DELETE = _handle

    @property
    def _node(self) -> "Node":
        assert self.api.node is not None
        return self.api.node

    def _collection(self, kind: str, query: Query) -> None:
        if self.command == "POST":
            self._answer(201, self.api.create(kind, self._body()))
        elif query.get("watch") in _TRUE:
            self._watch(kind, query)
        else:
            items = self.api.store.all(kind, query.get("labelSelector", ""))
            metadata = {"resourceVersion": self.api.store.version()}
            self._answer(200, {"apiVersion": _API_VERSIONS[kind], "kind": "List", "metadata": metadata, "items": items})

    def _object(self, kind: str, name: str) -> None:
        if self.command == "PATCH":
            patch = self._body()
            found = self.api.store.update(kind, name, lambda one: _merge(one, patch))
        elif self.command == "DELETE":
            self._body()
            found = self.api.delete(kind, name)
        else:
            found = self.api.store.read(kind, name)
        if found is None:
            self._not_found(name)
        else:
            self._answer(200, found)

    def _watch(self, kind: str, query: Query) -> None:
        self._begin_stream()
        after = int(query.get("resourceVersion") or 0)
        for change, changed in self.api.store.watch(kind, after, lambda: self.api.closed):
            if matches(query.get("labelSelector", ""), changed):
                self._chunk(json.dumps({"type": change, "object": changed}) + "\n")
        self._chunk("")

    def _log(self, name: str, query: Query) -> None:
        container = query.get("container", "")
        self._begin_stream()
        self.api.followed.append((name, container))
        self.api.logs_asked_for.append(container)
        try:
            for line in self._node.log(name, container, query.get("follow") in _TRUE):
                text = line if query.get("timestamps") in _TRUE else line.partition(" ")[2]
                self._chunk(f"{text}\n")
            self._chunk("")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.api.followed.remove((name, container))

    def _body(self) -> Json:
        length = int(self.headers.get("content-length") or 0)
        return json.loads(self.rfile.read(length) or b"{}")

    def _begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def _chunk(self, text: str) -> None:
        """Sends a chunk; an empty one ends the stream."""
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _answer(self, status: int, document: Json) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _not_found(self, what: str) -> None:
        self._answer(404, {"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound", "message": what})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
        """Writes no log."""


def _merge(target: Json, patch: Json) -> None:
    """Applies a merge patch, as far as Airflow uses it."""
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _merge(target[key], value)
        else:
            target[key] = value
