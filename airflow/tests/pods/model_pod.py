"""A pod without processes, for tests with more pods than this machine could run."""

import threading

from exeunt_airflow.container_names import AGENT, PROXY
from fake_kubernetes.store import Json


class ModelContainer:
    """A container that runs until it is ended."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def wait(self) -> int:
        """Waits for its end, and returns 0."""
        self._ended.wait()
        return 0

    def end(self) -> None:
        """Ends it."""
        self._ended.set()


class ModelPod:
    """The containers of one pod. Its task ends at once, and its proxy ends if there is an agent.

    docs/airflow-matrix.md shows that a real agent and a real Envoy behave like this.
    """

    def __init__(self, pod: Json, verdict: str = "") -> None:
        """`verdict` is what the agent leaves."""
        del pod
        self._containers: dict[str, ModelContainer] = {}
        self._verdict = verdict

    def start(self, name: str, spec: Json) -> ModelContainer:
        """Starts a container."""
        del spec
        self._containers[name] = ModelContainer()
        return self._containers[name]

    def begin(self) -> None:
        """Ends the task. With an agent, the proxy and the agent end too."""
        if AGENT in self._containers:
            self._containers[PROXY].end()
            self._containers[AGENT].end()
        self._containers["base"].end()

    def message(self, container: str) -> str:
        """The termination message of a container that has ended."""
        return self._verdict if container == AGENT else ""

    def close(self) -> None:
        """Ends every container."""
        for one in self._containers.values():
            one.end()
