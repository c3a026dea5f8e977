"""What the API server stores: objects, and their changes for clients that watch."""

import copy
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from .selectors import matches

Json = Any
Event = tuple[str, Json]


class Store:
    """Pods and jobs by name, and the history of their changes."""

    def __init__(self) -> None:
        self._versions = itertools.count(1)
        self._changed = threading.Condition()
        self._objects: dict[tuple[str, str], Json] = {}
        self._events: list[tuple[int, str, Event]] = []
        # How often a client has read each object since its last change. A client that reads the same twenty times will never
        # stop.
        self.reads: dict[tuple[str, str], int] = {}
        # Each deleted pod, as it was when its deletion began.
        self.deleted: dict[str, Json] = {}

    def create(self, kind: str, new: Json) -> Json:
        """Adds an object."""
        metadata = new["metadata"]
        metadata.setdefault("uid", f"{kind}-{next(self._versions)}")
        metadata.setdefault("creationTimestamp", now())
        with self._changed:
            self._objects[kind, metadata["name"]] = new
            self._publish(kind, "ADDED", new)
        return new

    def update(self, kind: str, name: str, change: Callable[[Json], None]) -> Json | None:
        """Changes an object; `None` if there is none."""
        with self._changed:
            old = self._objects.get((kind, name))
            if old is None:
                return None
            new = copy.deepcopy(old)
            change(new)
            self._objects[kind, name] = new
            self._publish(kind, "MODIFIED", new)
            return new

    def remove(self, kind: str, name: str) -> None:
        """Removes an object, if there is one."""
        with self._changed:
            old = self._objects.pop((kind, name), None)
            if old is not None:
                self._publish(kind, "DELETED", old)

    def read(self, kind: str, name: str) -> Json | None:
        """An object for a client; the read is counted."""
        with self._changed:
            self.reads[kind, name] = self.reads.get((kind, name), 0) + 1
            return self._objects.get((kind, name))

    def get(self, kind: str, name: str) -> Json | None:
        """An object for the tests; the read is not counted."""
        with self._changed:
            return self._objects.get((kind, name))

    def all(self, kind: str, selector: str = "") -> list[Json]:
        """The objects that a label selector matches."""
        with self._changed:
            return [one for (its_kind, _), one in self._objects.items() if its_kind == kind and matches(selector, one)]

    def version(self) -> str:
        """The newest resource version."""
        with self._changed:
            return str(self._events[-1][0] if self._events else 0)

    def watch(self, kind: str, after: int, closed: Callable[[], bool]) -> Iterator[Event]:
        """Every change after a resource version, as it happens, until `closed`."""
        position = 0
        while not closed():
            with self._changed:
                new = [event for version, its_kind, event in self._events[position:] if its_kind == kind and version > after]
                position = len(self._events)
                if not new:
                    self._changed.wait(0.2)
            yield from new

    def wait_until(self, condition: Callable[[], bool], within: float) -> bool:
        """Whether the condition becomes true in this time, in seconds. It is checked after every change."""
        with self._changed:
            return self._changed.wait_for(condition, within)

    def _publish(self, kind: str, change: str, new: Json) -> None:
        version = next(self._versions)
        new["metadata"]["resourceVersion"] = str(version)
        self._events.append((version, kind, (change, copy.deepcopy(new))))
        self.reads[kind, new["metadata"]["name"]] = 0
        self._changed.notify_all()


def now() -> str:
    """The time, as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
