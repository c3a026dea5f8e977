"""The state of the pods in the run's namespace, kept up to date by a watch."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import observed
from .errors import Interrupted, RunError
from .shape import LABEL

if TYPE_CHECKING:
    from .kube import Kube

Json = dict[str, Any]

_POLL_S = 0.5


class WatchedPods:
    """The newest known state of every pod, by its label."""

    def __init__(self, stop: threading.Event) -> None:
        """A set `stop` ends the watch and every wait."""
        self._stop = stop
        self._pods: dict[str, Json] = {}
        self._gone: set[str] = set()
        self._changed = threading.Condition()

    def watch(self, kube: "Kube", namespace: str) -> None:
        """Starts the watch, in a thread."""
        threading.Thread(target=kube.watch_pods, args=(namespace, self._stop, self._listed, self._seen), daemon=True).start()

    def pod(self, label: str) -> Json | None:
        """The newest known state of the pod with this label; the pod may be deleted already."""
        with self._changed:
            return self._pods.get(label)

    def is_gone(self, label: str) -> bool:
        """Whether the pod existed and is deleted."""
        with self._changed:
            return label in self._gone

    def wait(self, label: str, what: str, holds: Callable[[Json], bool], within: float, *, patient: bool = False) -> Json:
        """Waits until `holds` is true for a pod and returns its state.

        Raises `RunError` after `within` seconds, or at once if the pod cannot start, unless `patient`: then the caller knows why.
        """
        deadline = time.monotonic() + within
        while True:
            pod = self.pod(label)
            if pod is not None and holds(pod):
                return pod
            if self._stop.is_set():
                raise Interrupted
            why = observed.why_it_cannot_start(pod) if pod is not None else ""
            if why and not patient and not why.startswith(observed.UNSCHEDULABLE):
                raise RunError(f"waited for {what}: {why}")
            if time.monotonic() > deadline:
                state = why or (observed.summary(pod) if pod else "there is no such pod")
                raise RunError(f"waited {within:g} s for {what}: {state}")
            with self._changed:
                self._changed.wait(_POLL_S)

    def _listed(self, pods: list[Json]) -> None:
        with self._changed:
            names = {_label(pod) for pod in pods}
            self._gone |= set(self._pods) - names
            self._pods.update({_label(pod): pod for pod in pods})
            self._changed.notify_all()

    def _seen(self, event: Json) -> None:
        if event["type"] == "BOOKMARK":
            return
        with self._changed:
            label = _label(event["object"])
            self._pods[label] = event["object"]
            if event["type"] == "DELETED":
                self._gone.add(label)
            self._changed.notify_all()


def _label(pod: Json) -> str:
    labels = pod["metadata"].get("labels", {})
    return str(labels.get(LABEL, pod["metadata"]["name"]))
