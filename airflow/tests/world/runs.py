"""One task through the real Airflow, from its operator or executor to its verdict, in a pod that really runs."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from airflow.exceptions import TaskDeferred
from airflow.providers.cncf.kubernetes.executors.kubernetes_executor_utils import KubernetesJobWatcher
from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from .airflow import NAMESPACE, SCHEDULER_JOB, context, kubeconfig, worker_pod
from .api import ApiServer
from .kubelet import PROXY, Form, Kubelet
from .processes import Processes
from .store import Json

Who = Literal["executor", "operator", "deferrable", "job"]
# So many looks at a pod in which nothing can happen any more are as good as all that would follow.
_IN_VAIN = 25
_WITHIN_S = 60.0


@dataclass(frozen=True)
class Scenario:
    """One row of the table."""

    who: Who
    form: Form
    exit_code: int = 0
    options: dict[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Outcome:
    """What Airflow made of the task, and what became of the pod."""

    task: str
    pod: str
    value: Any = None

    def __str__(self) -> str:
        return f"{self.task}; {self.pod}"


class _Task(threading.Thread):
    """Airflow's own process of the task, as a thread."""

    def __init__(self, work: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.value: Any = None
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Keeps what it returns or raises."""
        try:
            self.value = self._work()
        except Exception as failure:  # noqa: BLE001 - it is the verdict
            self.failure = failure


def run(scenario: Scenario, folder: Path) -> Outcome:
    """Runs it to its end, or to where it is plain that there will be none."""
    with ApiServer() as api:
        kubelet = Kubelet(api, scenario.form, lambda pod: Processes(pod, scenario.exit_code))
        try:
            if scenario.who == "executor":
                return _executor(api)
            work, operator = _operator(scenario, api, folder)
            return _watched(api, work, operator)
        finally:
            kubelet.close()


# === Operators ===


def _operator(scenario: Scenario, api: ApiServer, folder: Path) -> tuple[Callable[[], Any], Any]:
    common = {
        "task_id": "t",
        "image": "task",
        "in_cluster": False,
        "config_file": kubeconfig(folder, api.url),
        "namespace": NAMESPACE,
    }
    if scenario.who == "job":
        job = {"name": "t", "parallelism": 1, "backoff_limit": 0, "wait_until_job_complete": True, "job_poll_interval": 0.02}
        operator: Any = KubernetesJobOperator(**common, **job, **scenario.options)
    else:
        operator = KubernetesPodOperator(**common, deferrable=scenario.who == "deferrable", **scenario.options)
    there = context(operator)
    return lambda: _execute(operator, there), operator


def _execute(operator: Any, there: Any) -> Any:
    """`execute`, and for as long as it defers, the trigger and the way back, as the triggerer and the next worker do it."""
    try:
        return operator.execute(there)
    except TaskDeferred as deferred:
        event = asyncio.run(_first_event(deferred.trigger))
        method = getattr(operator, deferred.method_name)
        return method(context=there, event=event, **(deferred.kwargs or {}))


async def _first_event(trigger: Any) -> Any:
    if hasattr(trigger, "poll_interval"):
        trigger.poll_interval = 0.05
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")


def _watched(api: ApiServer, work: Callable[[], Any], operator: Any) -> Outcome:
    task = _Task(work)
    task.start()
    deadline = time.monotonic() + _WITHIN_S
    while task.is_alive():
        task.join(0.02)
        if _nothing_can_happen(api) and (_read_in_vain(api) or any(container == PROXY for _, container in api.followed)):
            return Outcome("waits for ever", "stays NotReady")
        assert time.monotonic() < deadline, f"{operator} does not come to an end: {api.store.all('pods')}"
    if task.failure is not None and type(task.failure).__name__ not in ("AirflowException", "PodNotFoundException"):
        raise task.failure
    verdict = "succeeds" if task.failure is None else "fails"
    return Outcome(verdict, _pods_end(api), task.value)


def _nothing_can_happen(api: ApiServer) -> bool:
    """Whether only proxies are left running, and no agent that would end them."""
    return all(_only_the_proxy_is_left(pod) for pod in api.store.all("pods")) and bool(api.store.all("pods"))


def _only_the_proxy_is_left(pod: Json) -> bool:
    statuses = pod["status"].get("containerStatuses") or []
    everyone = [one["name"] for one in [*statuses, *(pod["status"].get("initContainerStatuses") or [])]]
    return "exeunt" not in everyone and [one["name"] for one in statuses if "running" in one["state"]] == [PROXY]


def _read_in_vain(api: ApiServer) -> bool:
    return any(count >= _IN_VAIN for count in api.store.reads.values())


# === The executor ===


def _executor(api: ApiServer) -> Outcome:
    """The pod as the executor builds it, and the watcher that tells the executor of its end."""
    pod = worker_pod("t")
    from kubernetes.client import ApiClient, Configuration, CoreV1Api

    configuration = Configuration()
    configuration.host = api.url
    client = CoreV1Api(ApiClient(configuration))
    client.create_namespaced_pod(NAMESPACE, pod)
    told: queue.Queue[Any] = queue.Queue()
    watcher = _watcher(told)
    threading.Thread(target=_watch, args=(watcher, client), daemon=True).start()
    # Its first words may be that the pod runs.
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline:
        try:
            news = told.get(timeout=0.05)
        except queue.Empty:
            if _nothing_can_happen(api):
                return Outcome("keeps its slot for ever", "stays NotReady")
            continue
        state = getattr(news, "state", None) if hasattr(news, "state") else news[2]
        phase = api.store.all("pods")[0]["status"]["phase"]
        if str(state).endswith("running"):
            continue
        # None: the executor takes the state that the worker itself has written.
        return Outcome("fails" if str(state).lower().endswith("failed") else "as the worker said", f"ends {phase}")
    raise AssertionError(f"the watcher says nothing: {api.store.all('pods')}")


def _watcher(told: "queue.Queue[Any]") -> KubernetesJobWatcher:
    from airflow.providers.cncf.kubernetes.kube_config import KubeConfig

    return KubernetesJobWatcher(NAMESPACE, told, "0", SCHEDULER_JOB, KubeConfig())  # type: ignore[arg-type]


def _watch(watcher: KubernetesJobWatcher, client: Any) -> None:
    """As its own process would, but here: what it says must be heard."""
    try:
        watcher._run(client, "0", SCHEDULER_JOB, watcher.kube_config)
    except Exception:  # noqa: BLE001 - the server goes away when the scenario is over
        return


# === What became of the pod ===


def _pods_end(api: ApiServer) -> str:
    for pod in api.store.deleted.values():
        return "deleted while its proxy was at work" if _proxy_runs(pod) else "deleted"
    (name,) = [pod["metadata"]["name"] for pod in api.store.all("pods")]
    assert api.store.wait(lambda: _settled(api.store.look("pods", name)), _WITHIN_S), api.store.look("pods", name)
    pod = api.store.look("pods", name)
    return "stays NotReady" if pod["status"]["phase"] == "Running" else f"kept, {pod['status']['phase']}"


def _settled(pod: Json) -> bool:
    return pod["status"]["phase"] in ("Succeeded", "Failed") or _only_the_proxy_is_left(pod)


def _proxy_runs(pod: Json) -> bool:
    statuses = [*(pod["status"].get("containerStatuses") or []), *(pod["status"].get("initContainerStatuses") or [])]
    return any(one["name"] == PROXY and "running" in one["state"] for one in statuses)
