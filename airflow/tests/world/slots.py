"""The real KubernetesExecutor with its real watcher process, and sixty-four tasks."""

import os
import threading
import time
from typing import Any

from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.providers.cncf.kubernetes.executors.kubernetes_executor import KubernetesExecutor
from airflow.utils.state import TaskInstanceState

from .airflow import DAG, RUN
from .api import ApiServer
from .kubelet import PROXY, Kubelet
from .store import Json


class _Finished:
    """A container that ends when it is told to."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def wait(self) -> int:
        """Zero, in the end."""
        self.over.wait()
        return 0

    end = property(lambda self: self.over.set)


class Model:
    """A pod without processes: its task ends at once, and its proxy when there is an agent.

    Sixty-four real ones would be too much. That a real agent and a real Envoy do the same, docs/airflow-matrix.md was run for.
    """

    def __init__(self, pod: Json) -> None:
        del pod
        self._all: dict[str, _Finished] = {}

    def start(self, name: str, spec: Json) -> _Finished:
        """Any container."""
        del spec
        self._all[name] = _Finished()
        return self._all[name]

    def begin(self) -> None:
        """The task ends; with an agent the proxy leaves, and the agent behind it."""
        if "exeunt" in self._all:
            self._all[PROXY].over.set()
            self._all["exeunt"].over.set()
        self._all["base"].over.set()

    def execute(self, container: str, argv: list[str]) -> Any:
        """There is nothing to execute in."""
        raise NotImplementedError

    def close(self) -> None:
        """Everything ends."""
        for one in self._all.values():
            one.over.set()


class Executor(KubernetesExecutor):  # type: ignore[misc]
    """The executor, but for two things.

    Its tasks are commands instead of workloads, and what the workers have written to the database is known here: success.
    """

    waiting: list[TaskInstanceKey]

    def trigger_tasks(self, open_slots: int) -> None:
        """What the base class does with as many tasks as there are slots."""
        for key in self.waiting[: max(0, open_slots)]:
            self.running.add(key)
            self.execute_async(key=key, command=["airflow", "tasks", "run", key.dag_id, key.task_id, key.run_id])
        self.waiting = self.waiting[max(0, open_slots) :]

    def _get_task_instance_state(self, *_: Any, **__: Any) -> TaskInstanceState:
        return TaskInstanceState.SUCCESS


def completed(api: ApiServer, tasks: int, *, within: float) -> tuple[int, int]:
    """How many of the tasks have come to success when nothing moves any more, and how many slots are then taken."""
    kubelet = Kubelet(api, "classic", Model)
    executor = Executor()
    executor.parallelism = 32
    executor.job_id = "7"
    executor.waiting = [TaskInstanceKey(DAG, f"task_{number}", RUN, 1) for number in range(tasks)]
    # Adoption of what an earlier scheduler has left comes every five minutes, and is none of this.
    executor._last_completed_pod_adoption = time.monotonic()
    executor.start()
    try:
        deadline, good = time.monotonic() + within, set[TaskInstanceKey]()
        while time.monotonic() < deadline and len(good) < tasks:
            executor.heartbeat()
            good |= {key for key, (state, _) in executor.get_event_buffer().items() if state == TaskInstanceState.SUCCESS}
            # 32 pods whose task has ended, and nobody in them who could end the proxy: nothing will move.
            pods = api.store.all("pods")
            if len(pods) == 32 == len(executor.running) and all(_stuck(pod) for pod in pods):
                break
            time.sleep(0.02)
        return len(good), len(executor.running)
    finally:
        for watcher in executor.kube_scheduler.kube_watchers.values():
            watcher.terminate()
            watcher.join()
        kubelet.close()


def _stuck(pod: Json) -> bool:
    statuses = pod["status"].get("containerStatuses") or []
    running = [one["name"] for one in statuses if "running" in one["state"]]
    return bool(statuses) and running == [PROXY]


def configure(url: str, folder: str) -> dict[str, str]:
    """The environment for an executor outside of a cluster."""
    template = os.path.join(folder, "template.yaml")  # noqa: PTH118
    with open(template, "w") as file:  # noqa: PTH123
        file.write(
            '{apiVersion: v1, kind: Pod, spec: {restartPolicy: Never, containers: [{name: base, image: "apache/airflow"}]}}\n'
        )
    section = "AIRFLOW__KUBERNETES_EXECUTOR__"
    return {
        f"{section}IN_CLUSTER": "False",
        f"{section}CONFIG_FILE": url,
        f"{section}NAMESPACE": "jobs",
        f"{section}POD_TEMPLATE_FILE": template,
        f"{section}WORKER_PODS_CREATION_BATCH_SIZE": "16",
        "AIRFLOW__CORE__PARALLELISM": "32",
    }
