"""Runs one scenario: the real Airflow, and a pod of real processes."""

from pathlib import Path

from fake_kubernetes.api_server import ApiServer
from fake_kubernetes.kubelet import Kubelet
from pods.process_pod import ProcessPod

from .executor_watcher import run_worker
from .operators import run_operator
from .scenario import Outcome, Scenario


def run(scenario: Scenario, folder: Path) -> Outcome:
    """Runs the scenario until it ends, or until it is certain that it never will."""
    with ApiServer() as api:
        kubelet = Kubelet(api, scenario.form, lambda pod: ProcessPod(pod, scenario.exit_code, slow=scenario.slow))
        try:
            return run_worker(api) if scenario.runner == "executor" else run_operator(scenario, api, folder)
        finally:
            kubelet.close()
