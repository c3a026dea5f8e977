"""When the pods of a namespace start and end, as a watch of the API sees it."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cluster import observed
from kinds import AGENT, MAIN

if TYPE_CHECKING:
    from cluster.kube import Kube

Json = dict[str, Any]

_JOB = "batch.kubernetes.io/job-name"


@dataclass
class Seen:
    """A pod, and when the watch first saw that its task had started, that its task had ended, and that the pod had ended."""

    pod: Json
    started: float = 0.0
    task_ended: float = 0.0
    ended: float = 0.0

    def verdict(self) -> Json:
        """What the agent says of the end; empty without an agent."""
        message = (observed.terminated(self.pod, AGENT) or {}).get("message", "")
        lines = message.strip().splitlines()
        verdict: Json = json.loads(lines[-1]) if lines else {}
        return verdict


class Stopwatch:
    """Watches the pods of a namespace."""

    def __init__(self, kube: "Kube", namespace: str) -> None:
        self._seen: dict[str, Seen] = {}
        self._changed = threading.Condition()
        self._stop = threading.Event()
        words = (namespace, self._stop, lambda pods: [self._note(pod) for pod in pods], lambda event: self._note(event["object"]))
        threading.Thread(target=kube.watch_pods, args=words, daemon=True).start()

    def stop(self) -> None:
        """Ends the watch after its next event."""
        self._stop.set()

    def wait(self, job: str, pods: int, holds: Callable[[Seen], object], what: str, within_s: float) -> list[Seen]:
        """Waits until so many pods of a Job are as wanted."""
        deadline = time.monotonic() + within_s
        with self._changed:
            while True:
                ours = [seen for seen in self._seen.values() if seen.pod["metadata"]["labels"].get(_JOB) == job]
                ready = [seen for seen in ours if holds(seen)]
                if len(ready) >= pods:
                    return ready
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    states = [
                        observed.why_it_cannot_start(seen.pod) or observed.summary(seen.pod) for seen in ours if not holds(seen)
                    ]
                    raise TimeoutError(f"{job}: {len(ready)} of {pods} pods {what} within {within_s:.0f} s; {states[:1]}")

    def _note(self, pod: Json) -> None:
        now = time.monotonic()
        with self._changed:
            seen = self._seen.setdefault(pod["metadata"]["uid"], Seen(pod))
            seen.pod = pod
            if observed.has_started(pod, MAIN):
                seen.started = seen.started or now
            if observed.terminated(pod, MAIN):
                seen.task_ended = seen.task_ended or now
            if observed.has_ended(pod):
                seen.ended = seen.ended or now
            self._changed.notify_all()
