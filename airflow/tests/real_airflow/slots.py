"""Runs many tasks with the real KubernetesExecutor and the real process of its watcher."""

import time
from typing import Any

from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.providers.cncf.kubernetes.executors.kubernetes_executor import KubernetesExecutor
from airflow.utils.state import TaskInstanceState

from fake_kubernetes.api_server import ApiServer
from fake_kubernetes.kubelet import Kubelet
from fake_kubernetes.pod_state import can_never_end
from pods.model_pod import ModelPod

from .task import key
from .worker_pod import SCHEDULER_JOB

SLOTS = 32


class Executor(KubernetesExecutor):  # type: ignore[misc]
    """The executor, with two changes.

    Its tasks are commands instead of workloads. And it does not ask the database for the state that a worker has written there:
    in these tests every worker has written success.
    """

    waiting: list[TaskInstanceKey]

    def trigger_tasks(self, open_slots: int) -> None:
        """Starts as many tasks as there are free slots, as the base class does."""
        starting = self.waiting[: max(0, open_slots)]
        for task in starting:
            self.running.add(task)
            self.execute_async(key=task, command=["airflow", "tasks", "run", task.dag_id, task.task_id, task.run_id])
        self.waiting = self.waiting[len(starting) :]

    def _get_task_instance_state(self, *_: Any, **__: Any) -> TaskInstanceState:
        return TaskInstanceState.SUCCESS


def run_tasks(api: ApiServer, tasks: int, *, within: float) -> tuple[int, int]:
    """Runs the tasks until all succeed or all slots are blocked. Returns how many succeeded, and how many slots are taken."""
    kubelet = Kubelet(api, "classic", ModelPod)
    executor = Executor()
    executor.parallelism = SLOTS
    executor.job_id = SCHEDULER_JOB
    executor.waiting = [key(f"task_{number}") for number in range(tasks)]
    # The executor adopts the pods of an earlier scheduler every five minutes. There is none in these tests.
    executor._last_completed_pod_adoption = time.monotonic()
    executor.start()
    try:
        deadline, succeeded = time.monotonic() + within, set[TaskInstanceKey]()
        while time.monotonic() < deadline and len(succeeded) < tasks and not _all_slots_blocked(api, executor):
            executor.heartbeat()
            succeeded |= {task for task, (state, _) in executor.get_event_buffer().items() if state == TaskInstanceState.SUCCESS}
            time.sleep(0.02)
        return len(succeeded), len(executor.running)
    finally:
        for watcher in executor.kube_scheduler.kube_watchers.values():
            watcher.terminate()
            watcher.join()
        kubelet.close()


def _all_slots_blocked(api: ApiServer, executor: Executor) -> bool:
    """Whether every slot belongs to a pod that can never end."""
    pods = api.store.all("pods")
    return len(pods) == SLOTS == len(executor.running) and all(can_never_end(pod) for pod in pods)
