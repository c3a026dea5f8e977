"""Runs a task with one of Airflow's operators, and a pod of the test world."""

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from exeunt_airflow.container_names import PROXY
from fake_kubernetes.api_server import ApiServer
from fake_kubernetes.pod_state import can_never_end, has_ended, proxy_is_running, waits_for_client

from .cluster_access import NAMESPACE, kubeconfig
from .operator_task import TASK_FAILED, build, execute
from .scenario import Outcome, Scenario

# A client that has read an object so often, in a pod where nothing can happen any more, will never stop.
_READS_IN_VAIN = 25
_TIMEOUT_S = 60.0
# The pauses of what waits for the pod: everything is faster here.
_POLL_S = {"job_poll_interval": 0.02}
_TRIGGER_POLL_S = 0.05


class _TaskThread(threading.Thread):
    """The process in which Airflow runs the task, here as a thread."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.value: Any = None
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Keeps what the work returns or raises."""
        _let_operators_run_here()
        try:
            self.value = self._work()
        except Exception as failure:  # noqa: BLE001 - a failure is one of the outcomes
            self.failure = failure


def _let_operators_run_here() -> None:
    """Airflow 2.11 makes its record of the running operators for the main thread only, where it runs a task."""
    module = sys.modules.get("airflow.models.baseoperator")
    record = getattr(getattr(module, "ExecutorSafeguard", None), "_sentinel", None)
    if isinstance(record, threading.local):
        record.callers = {}


def run_operator(scenario: Scenario, api: ApiServer, folder: Path) -> Outcome:
    """Runs the operator until it returns, or until it is certain that it waits forever."""
    place = {"task_id": "t", "image": "task", "config_file": kubeconfig(folder, api.url), "namespace": NAMESPACE}
    operator = build(scenario, place | (_POLL_S if scenario.runner == "job" else {}))
    task = _TaskThread(lambda: execute(operator, _TRIGGER_POLL_S))
    task.start()
    deadline = time.monotonic() + _TIMEOUT_S
    while task.is_alive():
        task.join(0.02)
        if _waits_forever(api):
            return Outcome("waits forever", "stays NotReady", logs=tuple(api.logs_asked_for))
        assert time.monotonic() < deadline, f"{operator} does not end: {api.store.all('pods')}"
    if task.failure is not None and type(task.failure).__name__ not in TASK_FAILED:
        raise task.failure
    return Outcome("succeeds" if task.failure is None else "fails", _end_of_pod(api), task.value, tuple(api.logs_asked_for))


def _waits_forever(api: ApiServer) -> bool:
    """Whether no pod can ever end, and Airflow reads the same object again and again or follows the log of a proxy or sidecar."""
    pods = api.store.all("pods")
    followed = [container for _, container in api.followed]
    if pods and all(waits_for_client(pod, followed) for pod in pods):
        return True
    if not pods or not all(can_never_end(pod) for pod in pods):
        return False
    reads_in_vain = any(count >= _READS_IN_VAIN for count in api.store.reads.values())
    return reads_in_vain or PROXY in followed


def _end_of_pod(api: ApiServer) -> str:
    """What happens to the pod after its task."""
    for pod in api.store.deleted.values():
        return "deleted while its proxy was running" if proxy_is_running(pod) else "deleted"
    (name,) = [pod["metadata"]["name"] for pod in api.store.all("pods")]

    def is_settled() -> bool:
        pod = api.store.get("pods", name)
        return has_ended(pod) or can_never_end(pod)

    assert api.store.wait_until(is_settled, _TIMEOUT_S), api.store.get("pods", name)
    pod = api.store.get("pods", name)
    assert pod is not None
    return "stays NotReady" if pod["status"]["phase"] == "Running" else f"kept, {pod['status']['phase']}"
