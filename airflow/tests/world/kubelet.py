"""What kubelet and Istio's injector do with a pod: add the proxy, start containers, tell their states, end sidecars last."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol

from .api import ApiServer
from .store import Json, now

Form = Literal["classic", "native"]
PROXY = "istio-proxy"


class Container(Protocol):
    """One container's process."""

    def wait(self) -> int:
        """Its exit code, 128 and more for a signal; waits for its end."""

    def end(self) -> None:
        """What kubelet does to it when its pod is over."""


class Containers(Protocol):
    """Everything that runs in one pod."""

    def start(self, name: str, spec: Json) -> Container:
        """Starts a container."""

    def begin(self) -> None:
        """All have been started: the main container may work."""

    def execute(self, container: str, argv: list[str]) -> Any:
        """Starts a command in a container; a process with three pipes."""

    def close(self) -> None:
        """Nothing of it runs any more."""


class Kubelet:
    """Runs every pod that is created; `containers` makes what it runs them with."""

    def __init__(self, api: ApiServer, form: Form, containers: Callable[[Json], Containers]) -> None:
        self._api = api
        self._form = form
        self._containers = containers
        self._pods: dict[str, _RunningPod] = {}
        self.failures: list[BaseException] = []
        api.node = self

    def run(self, pod: Json) -> None:
        """Injects the proxy, then does the rest by itself."""
        name = pod["metadata"]["name"]
        injected = self._api.store.update("pods", name, lambda one: inject(one, self._form))
        running = self._pods[name] = _RunningPod(self._api, injected, self._containers)
        threading.Thread(target=self._guarded, args=(running.run,), daemon=True).start()

    def stop(self, name: str) -> None:
        """A deletion: whatever is left is killed, and the pod is gone."""
        threading.Thread(target=self._guarded, args=(self._pods[name].kill,), daemon=True).start()

    def log(self, name: str, container: str, follow: bool) -> Iterator[str]:
        """What the container has said: that it started, and that it ended."""
        return self._pods[name].log(container, follow)

    def execute(self, name: str, container: str, argv: list[str]) -> Any:
        """A command in a container."""
        return self._pods[name].execute(container, argv)

    def close(self) -> None:
        """Ends all of them; raises what has gone wrong in the background."""
        for pod in self._pods.values():
            pod.close()
        if self.failures:
            raise self.failures[0]

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:
            self.failures.append(failure)
            raise


class _RunningPod:
    """One pod from its creation to its end."""

    def __init__(self, api: ApiServer, pod: Json, containers: Callable[[Json], Containers]) -> None:
        self._api, self._pod = api, pod
        self._make = containers
        self._name: str = pod["metadata"]["name"]
        spec = pod["spec"]
        self._sidecars = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy") == "Always"]
        self._regular = spec["containers"]
        self._states: dict[str, Json] = {}
        self._running: dict[str, Container] = {}
        self._news = threading.Condition()
        self._all: Containers | None = None
        self._killed = False
        self._said = {one["name"]: [f"{now()} {one['name']} begins"] for one in [*self._sidecars, *self._regular]}

    def run(self) -> None:
        """Starts everything in order, and waits for the ends."""
        containers = self._make(self._pod)
        with self._news:
            self._all = containers
        for one in [*self._sidecars, *self._regular]:
            process = containers.start(one["name"], one)
            with self._news:
                self._running[one["name"]] = process
                self._states[one["name"]] = {"running": {"startedAt": now()}}
        self._tell("Running")
        ends = [threading.Thread(target=self._await_end, args=(one["name"],), daemon=True) for one in self._regular]
        for end in ends:
            end.start()
        containers.begin()
        for end in ends:
            end.join()
        if self._killed:
            return
        # Kubelet ends sidecars when no regular container is left, the last one first, and only then is the pod over (KEP-753).
        for one in reversed(self._sidecars):
            self._running[one["name"]].end()
            self._await_end(one["name"])
        codes = [self._states[one["name"]]["terminated"]["exitCode"] for one in self._regular]
        if not self._killed:
            over = self._tell("Failed" if any(codes) else "Succeeded")
            if over is not None:
                self._api.ended(over)

    def _await_end(self, name: str) -> None:
        code = self._running[name].wait()
        with self._news:
            started = self._states[name]["running"]["startedAt"]
            reason = "Completed" if code == 0 else "Error"
            self._states[name] = {
                "terminated": {"exitCode": code, "reason": reason, "startedAt": started, "finishedAt": now(), "containerID": ""}
            }
            self._said[name].append(f"{now()} {name} ends with {code}")
            self._news.notify_all()
        if not self._killed:
            self._tell("Running")

    def _tell(self, phase: str) -> Json | None:
        with self._news:
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

    def log(self, container: str, follow: bool) -> Iterator[str]:
        """Lines, as they come."""
        at = 0
        while True:
            with self._news:
                ended = "terminated" in self._states.get(container, {}) or self._killed or self._api.closed
                lines, at = self._said[container][at:], len(self._said[container])
                if not lines and not ended and follow:
                    self._news.wait(0.2)
            yield from lines
            if not lines and (ended or not follow):
                return

    def execute(self, container: str, argv: list[str]) -> Any:
        """A command in it."""
        assert self._all is not None
        return self._all.execute(container, argv)

    def kill(self) -> None:
        """Ends what is left and forgets the pod."""
        self.close()
        self._api.store.remove("pods", self._name)

    def close(self) -> None:
        """Ends what is left."""
        with self._news:
            self._killed = True
            containers = self._all
            self._news.notify_all()
        if containers is not None:
            with contextlib.suppress(AssertionError):
                containers.close()


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


def inject(pod: Json, form: Form) -> None:
    """What Istio's injector adds, as far as it matters here."""
    proxy = {"name": PROXY, "image": "docker.io/istio/proxyv2:1.29.6"}
    lists: Json = {"initContainers": ["istio-init"], "containers": [PROXY]}
    if form == "native":
        lists = {"initContainers": ["istio-init", PROXY], "containers": None}
        pod["spec"]["initContainers"] = [proxy | {"restartPolicy": "Always"}, *(pod["spec"].get("initContainers") or [])]
    else:
        pod["spec"]["containers"] = [*pod["spec"]["containers"], proxy]
    annotations = pod["metadata"]["annotations"] = pod["metadata"].get("annotations") or {}
    annotations["sidecar.istio.io/status"] = json.dumps(lists | {"volumes": [], "imagePullSecrets": None, "revision": "default"})
