"""What Airflow needs around an operator and around the executor's pods: a context, a kubeconfig, and the hook's settings."""

import asyncio
import datetime
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.models.taskinstancekey import TaskInstanceKey
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import V1Container, V1Pod, V1PodSpec

from exeunt_airflow import hook
from exeunt_airflow.settings import Settings

DAG = "example_dag"
RUN = "scheduled__2025-01-01T00:00:00+00:00"
NAMESPACE = "jobs"
SCHEDULER_JOB = "7"


def context(operator: Any) -> Any:
    """As much of a task's context as the provider reads."""
    pushed: dict[str, Any] = {}
    instance = SimpleNamespace(
        dag_id=DAG,
        task_id=operator.task_id,
        run_id=RUN,
        try_number=1,
        map_index=-1,
        start_date=datetime.datetime.now(tz=datetime.UTC),
        xcom_push=lambda key, value, **_: pushed.__setitem__(key, value),
        key=TaskInstanceKey(DAG, operator.task_id, RUN, 1),
    )
    return {
        "ti": instance,
        "task_instance": instance,
        "run_id": RUN,
        "dag": SimpleNamespace(parent_dag=None, is_subdag=False),
        "pushed": pushed,
    }


def kubeconfig(folder: Path, url: str) -> str:
    """A file that leads to `url`, without any secret."""
    path = folder / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": url}}
    user = {"name": "u", "user": {"token": "none"}}
    config = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": NAMESPACE}}
    document = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "users": [user], "contexts": [config]}
    path.write_text(yaml.safe_dump(document | {"current-context": "c"}))
    return str(path)


def use_settings(monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
    """The hook that Airflow has loaded takes these from now on."""
    use_these(monkeypatch, Settings(**settings))


def use_these(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """The same with settings that are there already."""
    monkeypatch.setattr(hook, "settings_or_none", lambda: settings)


def worker_pod(task: str, override: V1Pod | None = None) -> V1Pod:
    """A worker's pod, by the code that the executor builds it with, hook and all."""
    template = V1Pod(spec=V1PodSpec(containers=[V1Container(name="base", image="apache/airflow")], restart_policy="Never"))
    return PodGenerator.construct_pod(
        dag_id=DAG,
        task_id=task,
        pod_id=f"example-dag-{task}",
        try_number=1,
        kube_image="apache/airflow",
        date=None,
        args=["airflow", "tasks", "run"],
        pod_override_object=override,
        base_worker_pod=template,
        namespace=NAMESPACE,
        scheduler_job_id=SCHEDULER_JOB,
        run_id=RUN,
        with_mutation_hook=True,
    )


def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow looks every second or two; here every 20 ms. Nothing else of it is changed."""
    pause, pause_async = time.sleep, asyncio.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: pause(min(seconds, 0.02)))
    monkeypatch.setattr(asyncio, "sleep", lambda delay, *more: pause_async(min(delay, 0.02), *more))
