"""Pods that the installed Airflow builds with the hook in place: every builder that there is."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import (
    V1Container,
    V1Job,
    V1JobSpec,
    V1ObjectMeta,
    V1Pod,
    V1PodSpec,
    V1PodTemplateSpec,
)

import vectors
from matrix import VERSION
from world.airflow import context, kubeconfig, use_settings, worker_pod

PLACES = {"native": "initContainers", "regular": "containers"}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hook is on, with either placement; where the agent is to be found."""
    use_settings(monkeypatch, placement=request.param)
    return PLACES[request.param]


def built(operator: Any) -> Any:
    """The pod that an operator asks for, as the API server gets it."""
    return vectors.plain(operator.build_pod_request_obj(context(operator)))


def operator(tmp_path: Path, **more: Any) -> KubernetesPodOperator:
    """One with a kubeconfig that leads nowhere."""
    config = kubeconfig(tmp_path, "http://127.0.0.1:1")
    return KubernetesPodOperator(**({"task_id": "t", "image": "busybox:1", "in_cluster": False, "config_file": config} | more))


def first(pod: Any, place: str) -> str:
    return str(pod["spec"][place][0]["name"])


def others(pod: Any) -> list[str]:
    return [one["name"] for one in pod["spec"]["containers"] if one["name"] != "exeunt"]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("xcom", [False] if VERSION.startswith("2.") else [False, True])
def test_the_pod_operators_pod(tmp_path: Path, place: str, deferrable: bool, xcom: bool) -> None:
    pod = built(operator(tmp_path, deferrable=deferrable, do_xcom_push=xcom))
    assert first(pod, place) == "exeunt"
    assert others(pod) == ["base", *(["airflow-xcom-sidecar"] if xcom else [])]


def test_a_full_pod_spec_is_merged_before_the_agent_comes(tmp_path: Path, place: str) -> None:
    own = [V1Container(name="base", image="own:1", env=[]), V1Container(name="helper", image="helper:1")]
    spec = V1Pod(metadata=V1ObjectMeta(annotations={"a": "b"}), spec=V1PodSpec(containers=own))
    pod = built(operator(tmp_path, image=None, full_pod_spec=spec))
    assert first(pod, place) == "exeunt"
    assert others(pod) == ["base", "helper"]
    assert next(one for one in pod["spec"]["containers"] if one["name"] == "base")["image"] == "own:1"
    assert pod["metadata"]["annotations"]["a"] == "b"


def test_a_pod_template_file_is_merged_before_the_agent_comes(tmp_path: Path, place: str) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "base", "image": "own:1"}]}})
    )
    pod = built(operator(tmp_path, image=None, pod_template_file=str(template)))
    assert first(pod, place) == "exeunt"
    assert others(pod) == ["base"]


def test_another_base_container_name_is_found(tmp_path: Path, place: str) -> None:
    pod = built(operator(tmp_path, base_container_name="train", do_xcom_push=not VERSION.startswith("2.")))
    agent = pod["spec"][place][0]
    assert agent["args"][agent["args"].index("--container") + 1] == "train"


def test_the_executors_worker_pod_with_a_pod_override(place: str) -> None:
    override = V1Pod(spec=V1PodSpec(containers=[V1Container(name="base", image="own:1")]))
    pod = vectors.plain(worker_pod("t", override))
    assert first(pod, place) == "exeunt"
    assert others(pod) == ["base"]
    assert pod["metadata"]["annotations"]["dag_id"] == "example_dag"
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == "example_dag.t"


def job(tmp_path: Path, **more: Any) -> Any:
    """What a job operator asks for."""
    config = kubeconfig(tmp_path, "http://127.0.0.1:1")
    one = KubernetesJobOperator(**({"task_id": "t", "in_cluster": False, "config_file": config, "parallelism": 1} | more))
    return vectors.plain(one.build_job_request_obj(context(one)))


def test_the_job_operators_template(tmp_path: Path, place: str) -> None:
    template = job(tmp_path, image="busybox:1")["spec"]["template"]
    assert first(template, place) == "exeunt"
    assert template["metadata"]["labels"]["exeunt.dev/drain"] == "on"


def test_a_job_whose_template_is_merged_behind_the_hook_stays_as_it_is(tmp_path: Path, place: str) -> None:
    own = V1PodTemplateSpec(spec=V1PodSpec(containers=[V1Container(name="base", image="own:1", command=["work"])]))
    template = job(tmp_path, full_job_spec=V1Job(spec=V1JobSpec(template=own)))["spec"]["template"]
    assert others(template) == [one["name"] for one in template["spec"]["containers"]] == ["base"]
    assert not template["spec"].get(place if place == "initContainers" else "none")
    assert (template["spec"]["containers"][0]["image"], template["spec"]["containers"][0]["command"]) == ("own:1", ["work"])


def test_the_executor_reads_back_what_it_wrote(place: str) -> None:
    from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import annotations_to_key

    pod = worker_pod("t")
    assert first(vectors.plain(pod), place) == "exeunt"
    key = annotations_to_key(pod.metadata.annotations)
    assert (key.dag_id, key.task_id, key.try_number) == ("example_dag", "t", 1)


def test_spark_is_not_shown_to_the_hook() -> None:
    # Its operator makes a SparkApplication, from which Spark's own operator makes the pods: docs/airflow.md says what to do.
    import inspect

    from airflow.providers.cncf.kubernetes.operators import custom_object_launcher, spark_kubernetes

    for module in (spark_kubernetes, custom_object_launcher):
        assert "pod_mutation_hook" not in inspect.getsource(module)
    assert "build_pod_request_obj" not in inspect.getsource(spark_kubernetes)


def test_a_pod_is_deserialised_as_it_was_written(place: str) -> None:
    pod = vectors.plain(worker_pod("t"))
    assert first(pod, place) == "exeunt"
    assert vectors.plain(PodGenerator.deserialize_model_dict(pod)) == pod
