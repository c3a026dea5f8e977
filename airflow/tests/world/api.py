"""An API server that speaks Kubernetes' protocol over HTTP: objects, watches, logs that are followed, and exec by WebSocket."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol, Self
from urllib.parse import parse_qs, urlsplit

from .channels import serve_exec
from .store import Json, Store, now

# What else an answer to /version must have.
_BUILD = ("buildDate", "compiler", "gitCommit", "gitTreeState", "gitVersion", "goVersion", "platform")
_LISTS = {"pods": "v1", "jobs": "batch/v1", "events": "v1"}


class Node(Protocol):
    """Whoever runs the pods."""

    def run(self, pod: Json) -> None:
        """A pod was created."""

    def stop(self, name: str) -> None:
        """A pod is to end, as its deletion wants it."""

    def log(self, name: str, container: str, follow: bool) -> Iterator[str]:
        """The lines of a container's log, to its end if it is followed."""

    def execute(self, name: str, container: str, argv: list[str]) -> Any:
        """Starts a command in a container; a process with three pipes."""


class ApiServer:
    """The server; `node` is asked for everything that happens in pods."""

    def __init__(self, version: str = "1.36") -> None:
        """Listens on a free port."""
        self.store = Store()
        self.node: Node | None = None
        major, minor = version.split(".")
        self.version = {"major": major, "minor": minor} | dict.fromkeys(_BUILD, "")
        self.closed = False
        # Which containers' logs are being followed at this moment.
        self.followed: list[tuple[str, str]] = []
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Ends it, watches and all."""
        self.closed = True
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # === Pods and jobs ===

    def create(self, kind: str, thing: Json) -> Json:
        """What a POST does."""
        thing.setdefault("status", {"phase": "Pending"} if kind == "pods" else {})
        created = self.store.create(kind, thing)
        assert self.node is not None
        if kind == "pods":
            self.node.run(created)
        elif kind == "jobs":
            # What the job controller does.
            template = json.loads(json.dumps(created["spec"]["template"]))
            labels = (template["metadata"].get("labels") or {}) | {"job-name": created["metadata"]["name"]}
            name, namespace = f"{created['metadata']['name']}-x", created["metadata"]["namespace"]
            metadata = template["metadata"] | {"name": name, "namespace": namespace, "labels": labels}
            self.create("pods", {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
        return created

    def ended(self, pod: Json) -> None:
        """What the job controller does when a pod of a job has ended (backoffLimit 0)."""
        name = (pod["metadata"].get("labels") or {}).get("job-name")
        if name is None:
            return
        good = pod["status"]["phase"] == "Succeeded"
        kind = "Complete" if good else "Failed"
        condition = {
            "type": kind,
            "status": "True",
            "reason": "" if good else "BackoffLimitExceeded",
            "lastTransitionTime": now(),
        }
        status = {"conditions": [condition], "succeeded" if good else "failed": 1} | ({"completionTime": now()} if good else {})
        self.store.update("jobs", name, lambda job: job.__setitem__("status", status))

    def delete(self, kind: str, name: str) -> Json | None:
        """What a DELETE does: of a pod it is the beginning of its end."""
        thing = self.store.look(kind, name)
        if thing is not None and kind == "pods":
            if "deletionTimestamp" not in thing["metadata"]:
                self.store.deleted[name] = thing
                self.store.update(kind, name, lambda pod: pod["metadata"].__setitem__("deletionTimestamp", now()))
                assert self.node is not None
                self.node.stop(name)
        elif thing is not None:
            self.store.remove(kind, name)
        return thing


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    api: ApiServer
    protocol_version = "HTTP/1.1"

    def _handle(self) -> None:
        if self.api.closed:
            # Who still waits for a pod of a scenario that is over learns here that there is none.
            self.close_connection = True
            self._refuse(404, self.path)
            return
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if url.path.strip("/") == "version":
            self._answer(200, self.api.version)
            return
        words = url.path.strip("/").split("/")
        # /api/v1/namespaces/NS/pods/NAME/log and /apis/batch/v1/namespaces/NS/jobs/NAME
        words = words[2:] if words[0] == "api" else words[3:]
        kind = words[2] if len(words) > 2 and words[0] == "namespaces" else ""
        if kind not in _LISTS:
            self._refuse(404, url.path)
        elif len(words) == 3:
            self._collection(kind, query)
        elif len(words) == 4 or words[4] == "status":
            self._one(kind, words[3])
        elif words[4] == "log":
            self._log(words[3], query)
        else:
            assert self.api.node is not None
            serve_exec(self, lambda argv: self.api.node.execute(words[3], query["container"], argv))  # type: ignore[union-attr]

    do_GET = do_POST = do_PATCH = do_DELETE = _handle

    def _collection(self, kind: str, query: dict[str, str]) -> None:
        if self.command == "POST":
            self._answer(201, self.api.create(kind, self._body()))
        elif query.get("watch") in ("true", "True", "1"):
            self._watch(kind, query)
        else:
            items = self.api.store.all(kind, query.get("labelSelector", ""))
            metadata = {"resourceVersion": self.api.store.version()}
            self._answer(200, {"apiVersion": _LISTS[kind], "kind": "List", "metadata": metadata, "items": items})

    def _one(self, kind: str, name: str) -> None:
        if self.command == "PATCH":
            patch = self._body()
            thing = self.api.store.update(kind, name, lambda one: _merge(one, patch))
        elif self.command == "DELETE":
            self._body()
            thing = self.api.delete(kind, name)
        else:
            thing = self.api.store.read(kind, name)
        if thing is None:
            self._refuse(404, name)
        else:
            self._answer(200, thing)

    def _watch(self, kind: str, query: dict[str, str]) -> None:
        from .store import matches

        self._begin_stream()
        after = int(query.get("resourceVersion") or 0)
        for word, thing in self.api.store.events(kind, after, lambda: self.api.closed):
            if matches(query.get("labelSelector", ""), thing):
                self._piece(json.dumps({"type": word, "object": thing}) + "\n")
        self._piece("")

    def _log(self, name: str, query: dict[str, str]) -> None:
        assert self.api.node is not None
        container, follow = query.get("container", ""), query.get("follow") in ("true", "True")
        self._begin_stream()
        self.api.followed.append((name, container))
        try:
            for line in self.api.node.log(name, container, follow):
                self._piece(f"{line}\n" if query.get("timestamps") in ("true", "True") else f"{line.partition(' ')[2]}\n")
            self._piece("")
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

    def _piece(self, text: str) -> None:
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

    def _refuse(self, status: int, what: str) -> None:
        self._answer(status, {"kind": "Status", "status": "Failure", "code": status, "reason": "NotFound", "message": what})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """Says nothing."""


def _merge(one: Json, patch: Json) -> None:
    """A merge patch, as far as Airflow sends one."""
    for key, value in patch.items():
        if isinstance(value, dict) and isinstance(one.get(key), dict):
            _merge(one[key], value)
        else:
            one[key] = value
