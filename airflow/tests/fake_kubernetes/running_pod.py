"""One pod, from its start to its end: starts the containers in order, reports their states, and ends the sidecars last."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

from .api_server import ApiServer
from .containers import Container, Containers, WithCommands, WithMessages
from .store import Json, now


class RunningPod:
    """A pod that kubelet runs."""

    def __init__(self, api: ApiServer, pod: Json, make_containers: Callable[[Json], Containers]) -> None:
        self._api, self._pod = api, pod
        self._make_containers = make_containers
        self._name: str = pod["metadata"]["name"]
        spec = pod["spec"]
        self._sidecars = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
        self._regular = spec["containers"]
        self._states: dict[str, Json] = {}
        self._running: dict[str, Container] = {}
        # Guards everything that follows, and tells that a log has a new line or is complete.
        self._changed = threading.Condition()
        self._containers: Containers | None = None
        self._killed = False
        self._logs = {one["name"]: [f"{now()} {one['name']} starts"] for one in [*self._sidecars, *self._regular]}

    def run(self) -> None:
        """Starts every container in order, and waits until the pod has ended."""
        containers = self._make_containers(self._pod)
        with self._changed:
            self._containers = containers
        for one in [*self._sidecars, *self._regular]:
            container = containers.start(one["name"], one)
            with self._changed:
                self._running[one["name"]] = container
                self._states[one["name"]] = {"running": {"startedAt": now()}}
        self._report("Running")
        waiting = [threading.Thread(target=self._await_end, args=(one["name"],), daemon=True) for one in self._regular]
        for thread in waiting:
            thread.start()
        containers.begin()
        for thread in waiting:
            thread.join()
        if self._killed:
            return
        # When no regular container is left, kubelet ends the sidecars, the last one first. Then the pod is over (KEP-753).
        for one in reversed(self._sidecars):
            self._running[one["name"]].end()
            self._await_end(one["name"])
        codes = [self._states[one["name"]]["terminated"]["exitCode"] for one in self._regular]
        if not self._killed:
            ended = self._report("Failed" if any(codes) else "Succeeded")
            if ended is not None:
                self._api.pod_ended(ended)

    def log(self, container: str, follow: bool) -> Iterator[str]:
        """The lines of a container's log, as they come."""
        position = 0
        while True:
            with self._changed:
                ended = "terminated" in self._states.get(container, {}) or self._killed or self._api.closed
                lines, position = self._logs[container][position:], len(self._logs[container])
                if not lines and not ended and follow:
                    self._changed.wait(0.2)
            yield from lines
            if not lines and (ended or not follow):
                return

    def execute(self, container: str, argv: list[str]) -> Any:
        """Starts a command in a container."""
        assert isinstance(self._containers, WithCommands), f"no command can run in {self._name}"
        return self._containers.execute(container, argv)

    def kill(self) -> None:
        """Ends everything that still runs, and removes the pod."""
        self.close()
        self._api.store.remove("pods", self._name)

    def close(self) -> None:
        """Ends everything that still runs."""
        with self._changed:
            self._killed = True
            containers = self._containers
            self._changed.notify_all()
        if containers is not None:
            with contextlib.suppress(AssertionError):
                containers.close()

    def _await_end(self, name: str) -> None:
        code = self._running[name].wait()
        message = self._containers.message(name) if isinstance(self._containers, WithMessages) else ""
        with self._changed:
            started = self._states[name]["running"]["startedAt"]
            reason = "Completed" if code == 0 else "Error"
            ended = {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now(), "containerID": ""}
            self._states[name] = {"terminated": ended | ({"message": message} if message else {})}
            self._logs[name].append(f"{now()} {name} ends with {code}")
            self._changed.notify_all()
        if not self._killed:
            self._report("Running")

    def _report(self, phase: str) -> Json | None:
        """Updates the status of the pod on the API server."""
        with self._changed:
            states = dict(self._states)
        running = all("running" in states[one["name"]] for one in self._regular)
        ready = {"type": "Ready", "status": "True" if running else "False"}
        status = {
            "phase": phase,
            "startTime": now(),
            "conditions": [{"type": "PodScheduled", "status": "True"}, ready],
            "containerStatuses": _statuses(self._regular, states),
            "initContainerStatuses": _statuses(self._sidecars, states),
        }
        return self._api.store.update("pods", self._name, lambda pod: pod.__setitem__("status", status))


def _statuses(containers: list[Json], states: dict[str, Json]) -> list[Json]:
    statuses = [
        {
            "name": one["name"],
            "image": one.get("image", ""),
            "imageID": "",
            "restartCount": 0,
            "ready": "running" in states[one["name"]],
            "started": "running" in states[one["name"]],
            "state": states[one["name"]],
        }
        for one in containers
    ]
    # Kubelet sorts them by name (convertToAPIContainerStatuses).
    return sorted(statuses, key=lambda status: str(status["name"]))
