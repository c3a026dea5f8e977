"""What an API server knows, and who waits for news of it."""

import copy
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

Json = Any
Event = tuple[str, Json]


class Store:
    """Pods and jobs by name, their history as watch events, and what was asked of them."""

    def __init__(self) -> None:
        self._versions = itertools.count(1)
        self._changed = threading.Condition()
        self._kept: dict[tuple[str, str], Json] = {}
        self._events: list[tuple[int, str, Event]] = []
        # How often each was read since it last changed: who has read twenty times in vain will read for ever.
        self.reads: dict[tuple[str, str], int] = {}
        # Each pod as it was at the moment of its deletion.
        self.deleted: dict[str, Json] = {}

    def create(self, kind: str, thing: Json) -> Json:
        """Takes a new one."""
        metadata = thing["metadata"]
        metadata.setdefault("uid", f"{kind}-{next(self._versions)}")
        metadata.setdefault("creationTimestamp", now())
        with self._changed:
            self._kept[kind, metadata["name"]] = thing
            self._tell(kind, "ADDED", thing)
        return thing

    def update(self, kind: str, name: str, change: Callable[[Json], None]) -> Json | None:
        """Changes one that is there; `None` if it has gone."""
        with self._changed:
            thing = self._kept.get((kind, name))
            if thing is None:
                return None
            thing = copy.deepcopy(thing)
            change(thing)
            self._kept[kind, name] = thing
            self._tell(kind, "MODIFIED", thing)
            return thing

    def remove(self, kind: str, name: str) -> None:
        """Forgets one."""
        with self._changed:
            thing = self._kept.pop((kind, name), None)
            if thing is not None:
                self._tell(kind, "DELETED", thing)

    def read(self, kind: str, name: str) -> Json | None:
        """One of them, for a client."""
        with self._changed:
            self.reads[kind, name] = self.reads.get((kind, name), 0) + 1
            return self._kept.get((kind, name))

    def look(self, kind: str, name: str) -> Json | None:
        """One of them, for ourselves."""
        with self._changed:
            return self._kept.get((kind, name))

    def all(self, kind: str, selector: str = "") -> list[Json]:
        """Those that a label selector matches."""
        with self._changed:
            return [thing for (kept, _), thing in self._kept.items() if kept == kind and matches(selector, thing)]

    def version(self) -> str:
        """The newest resource version."""
        with self._changed:
            return str(self._events[-1][0] if self._events else 0)

    def events(self, kind: str, after: int, closed: Callable[[], bool]) -> Iterator[Event]:
        """Everything that happens after a version, until `closed`."""
        at = 0
        while not closed():
            with self._changed:
                fresh = [event for version, told, event in self._events[at:] if told == kind and version > after]
                at = len(self._events)
                if not fresh:
                    self._changed.wait(0.2)
            yield from fresh

    def wait(self, what: Callable[[], bool], within: float) -> bool:
        """Whether it comes true in that time; looked at after every change."""
        with self._changed:
            return self._changed.wait_for(what, within)

    def _tell(self, kind: str, word: str, thing: Json) -> None:
        version = next(self._versions)
        thing["metadata"]["resourceVersion"] = str(version)
        self._events.append((version, kind, (word, copy.deepcopy(thing))))
        self.reads[kind, thing["metadata"]["name"]] = 0
        self._changed.notify_all()


def matches(selector: str, thing: Json) -> bool:
    """Whether `a=b,c!=d,!e,f` holds, which is all that Airflow asks."""
    labels = thing["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        if term.startswith("!"):
            good = term[1:] not in labels
        elif "!=" in term:
            name, _, value = term.partition("!=")
            good = labels.get(name) != value
        elif "=" in term:
            name, _, value = term.partition("=")
            good = labels.get(name) == value.removeprefix("=")
        else:
            good = term in labels
        if not good:
            return False
    return True


def now() -> str:
    """The time as Kubernetes writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
