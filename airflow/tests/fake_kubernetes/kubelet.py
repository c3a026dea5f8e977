"""A kubelet that runs every pod at once, each in a thread."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from .api_server import ApiServer
from .containers import Containers
from .injector import Form, inject
from .running_pod import RunningPod
from .store import Json


class Kubelet:
    """Runs the pods of an API server, after Istio's proxy has been injected into them."""

    def __init__(self, api: ApiServer, form: Form, containers: Callable[[Json], Containers]) -> None:
        """`form` is the form of the injected proxy. `containers` makes the containers of a pod."""
        self._api = api
        self._form = form
        self._containers = containers
        self._pods: dict[str, RunningPod] = {}
        self.failures: list[BaseException] = []
        api.node = self

    def run(self, pod: Json) -> None:
        """Injects the proxy and starts the pod."""
        name = pod["metadata"]["name"]
        injected = self._api.store.update("pods", name, lambda one: inject(one, self._form))
        running = self._pods[name] = RunningPod(self._api, injected, self._containers)
        threading.Thread(target=self._keep_failure, args=(running.run,), daemon=True).start()

    def stop(self, name: str) -> None:
        """Kills a pod that is being deleted, and removes it."""
        threading.Thread(target=self._keep_failure, args=(self._pods[name].kill,), daemon=True).start()

    def log(self, name: str, container: str, follow: bool) -> Iterator[str]:
        """The lines of a container's log: one when it starts, and one when it ends."""
        return self._pods[name].log(container, follow)

    def execute(self, name: str, container: str, argv: list[str]) -> Any:
        """Starts a command in a container."""
        return self._pods[name].execute(container, argv)

    def close(self) -> None:
        """Ends all pods. Raises the first failure of a thread."""
        for pod in self._pods.values():
            pod.close()
        if self.failures:
            raise self.failures[0]

    def _keep_failure(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:
            self.failures.append(failure)
            raise
