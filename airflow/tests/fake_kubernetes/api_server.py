"""An API server that speaks Kubernetes' protocol over HTTP."""

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from typing import Any, Protocol, Self

from . import job_controller
from .http_handler import Handler
from .store import Json, Store, now

# Other fields that the answer to /version must have.
_BUILD = ("buildDate", "compiler", "gitCommit", "gitTreeState", "gitVersion", "goVersion", "platform")


class Node(Protocol):
    """The node that runs every pod."""

    def run(self, pod: Json) -> None:
        """Starts a pod that was created."""

    def stop(self, name: str) -> None:
        """Stops a pod that is being deleted."""

    def log(self, name: str, container: str, follow: bool) -> Iterator[str]:
        """The lines of a container's log. With `follow`, until the container ends."""

    def execute(self, name: str, container: str, argv: list[str]) -> Any:
        """Starts a command in a container. Returns a process with three pipes."""


class ApiServer:
    """The API server. It asks `node` for everything that happens in a pod."""

    def __init__(self, version: str = "1.36") -> None:
        """Listens on a free port."""
        self.store = Store()
        self.node: Node | None = None
        major, minor = version.split(".")
        self.version = {"major": major, "minor": minor} | dict.fromkeys(_BUILD, "")
        self.closed = False
        # The logs that clients follow at this moment, as (pod, container).
        self.followed: list[tuple[str, str]] = []
        # The containers whose logs were asked for, in this order.
        self.logs_asked_for: list[str] = []
        handler = type("HandlerOfThisServer", (Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stops the server and ends all watches."""
        self.closed = True
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self, kind: str, new: Json) -> Json:
        """What a POST request does."""
        new.setdefault("status", {"phase": "Pending"} if kind == "pods" else {})
        created = self.store.create(kind, new)
        if kind == "pods":
            assert self.node is not None
            self.node.run(created)
        elif kind == "jobs":
            self.create("pods", job_controller.pod_of(created))
        return created

    def delete(self, kind: str, name: str) -> Json | None:
        """What a DELETE request does. For a pod this is only the beginning of its end."""
        found = self.store.get(kind, name)
        if found is not None and kind == "pods":
            if "deletionTimestamp" not in found["metadata"]:
                self.store.deleted[name] = found
                self.store.update(kind, name, lambda pod: pod["metadata"].__setitem__("deletionTimestamp", now()))
                assert self.node is not None
                self.node.stop(name)
        elif found is not None:
            self.store.remove(kind, name)
        return found

    def pod_ended(self, pod: Json) -> None:
        """The node reports that a pod has ended. If it belongs to a job, the job ends too."""
        job = job_controller.job_of(pod)
        if job is not None:
            status = job_controller.status_after(pod)
            self.store.update("jobs", job, lambda one: one.__setitem__("status", status))
