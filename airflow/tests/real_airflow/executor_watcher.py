"""Runs a worker's pod, with the watcher through which the executor learns that the pod has ended."""

import queue
import threading
import time
from typing import Any

from airflow.providers.cncf.kubernetes.executors.kubernetes_executor_utils import KubernetesJobWatcher
from airflow.providers.cncf.kubernetes.kube_config import KubeConfig
from kubernetes.client import ApiClient, Configuration, CoreV1Api

from fake_kubernetes.api_server import ApiServer
from fake_kubernetes.pod_state import can_never_end

from .cluster_access import NAMESPACE
from .scenario import Outcome
from .worker_pod import SCHEDULER_JOB, worker_pod

_TIMEOUT_S = 60.0


def run_worker(api: ApiServer) -> Outcome:
    """Creates the pod that the executor builds, and waits until the watcher reports its end or can never do so."""
    client = _client(api)
    client.create_namespaced_pod(NAMESPACE, worker_pod("t"))
    reports: queue.Queue[Any] = queue.Queue()
    threading.Thread(target=_watch, args=(reports, client), daemon=True).start()
    deadline = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < deadline:
        try:
            state = _state(reports.get(timeout=0.05))
        except queue.Empty:
            if can_never_end(_pod(api)):
                return Outcome("keeps its slot forever", "stays NotReady")
            continue
        # The first report may be that the pod runs.
        if not state.endswith("running"):
            # Without a state in the report, the executor takes the state that the worker itself has reported.
            return Outcome(
                "fails" if state.endswith("failed") else "as the worker reported", f"ends {_pod(api)['status']['phase']}"
            )
    raise AssertionError(f"the watcher reports nothing: {api.store.all('pods')}")


def _client(api: ApiServer) -> CoreV1Api:
    configuration = Configuration()
    configuration.host = api.url
    return CoreV1Api(ApiClient(configuration))


def _watch(reports: "queue.Queue[Any]", client: CoreV1Api) -> None:
    """Runs the watcher in this thread instead of a process of its own, so that its reports stay here."""
    watcher = KubernetesJobWatcher(NAMESPACE, reports, "0", SCHEDULER_JOB, KubeConfig())  # type: ignore[arg-type]
    try:
        watcher._run(client, "0", SCHEDULER_JOB, watcher.kube_config)
    except Exception:  # noqa: BLE001 - the server closes when the scenario is over
        return


def _state(report: Any) -> str:
    """The state in a report, in lower case. Older providers report a tuple."""
    return str(report.state if hasattr(report, "state") else report[2]).lower()


def _pod(api: ApiServer) -> Any:
    (pod,) = api.store.all("pods")
    return pod
