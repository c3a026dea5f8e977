"""The pods that the installed Airflow builds with the hook: with each of its builders."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.providers.cncf.kubernetes.kubernetes_helper_functions import annotations_to_key
from airflow.providers.cncf.kubernetes.operators import custom_object_launcher, spark_kubernetes
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
from exeunt_airflow.container_names import AGENT, XCOM_HELPER
from exeunt_airflow.settings import Settings
from matrix import OLD_PROVIDER
from real_airflow.cluster_access import kubeconfig
from real_airflow.hook_settings import use_settings
from real_airflow.task import DAG, context
from real_airflow.worker_pod import worker_pod

# For each form: the settings that choose it, and the list in the pod's spec that the agent is in.
FORMS = {
    "native": (Settings(proxy="native"), "initContainers"),
    "classic": (Settings(proxy="keep", placement="native"), "initContainers"),
    "regular": (Settings(proxy="keep", placement="regular"), "containers"),
}
# The hook adds no agent to a pod with XCom that shares its processes on the provider of Airflow 2.8.
XCOM_WORKS = not OLD_PROVIDER
GRACE_IS_WRITTEN = "termination_grace_period_seconds" in inspect.getsource(KubernetesPodOperator.build_pod_request_obj)
NO_CLUSTER = "http://127.0.0.1:1"


@pytest.fixture(params=FORMS)
def agents_list(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hook is on, with each form. The list in which the agent must be the first container."""
    settings, name = FORMS[request.param]
    use_settings(monkeypatch, settings)
    return name


def built(folder: Path, **options: Any) -> Any:
    """The pod that KubernetesPodOperator builds."""
    common = {"task_id": "t", "image": "busybox:1", "in_cluster": False, "config_file": kubeconfig(folder, NO_CLUSTER)}
    operator = KubernetesPodOperator(**(common | options))
    return vectors.plain(operator.build_pod_request_obj(context(operator)))


def built_job(folder: Path, **options: Any) -> Any:
    """The template of the pod in the job that KubernetesJobOperator builds."""
    common = {"task_id": "t", "in_cluster": False, "config_file": kubeconfig(folder, NO_CLUSTER), "parallelism": 1}
    operator = KubernetesJobOperator(**(common | options))
    return vectors.plain(operator.build_job_request_obj(context(operator)))["spec"]["template"]


def first(pod: Any, agents_list: str) -> str:
    return str(pod["spec"][agents_list][0]["name"])


def others(pod: Any) -> list[str]:
    return [one["name"] for one in pod["spec"]["containers"] if one["name"] != AGENT]


@pytest.mark.parametrize("deferrable", [False, True])
@pytest.mark.parametrize("xcom", [False, True] if XCOM_WORKS else [False])
def test_a_pod_of_the_pod_operator(tmp_path: Path, agents_list: str, deferrable: bool, xcom: bool) -> None:
    pod = built(tmp_path, deferrable=deferrable, do_xcom_push=xcom)
    assert first(pod, agents_list) == "exeunt"
    assert others(pod) == (["base", XCOM_HELPER] if xcom else ["base"])


def test_a_full_pod_spec_is_merged_before_the_agent_is_added(tmp_path: Path, agents_list: str) -> None:
    own = [V1Container(name="base", image="own:1", env=[]), V1Container(name="helper", image="helper:1")]
    spec = V1Pod(metadata=V1ObjectMeta(annotations={"a": "b"}), spec=V1PodSpec(containers=own))
    pod = built(tmp_path, image=None, full_pod_spec=spec)
    assert first(pod, agents_list) == "exeunt"
    assert others(pod) == ["base", "helper"]
    assert next(one for one in pod["spec"]["containers"] if one["name"] == "base")["image"] == "own:1"
    assert pod["metadata"]["annotations"]["a"] == "b"


def test_a_pod_template_file_is_merged_before_the_agent_is_added(tmp_path: Path, agents_list: str) -> None:
    template = tmp_path / "template.yaml"
    template.write_text(
        yaml.safe_dump({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "base", "image": "own:1"}]}})
    )
    pod = built(tmp_path, image=None, pod_template_file=str(template))
    assert first(pod, agents_list) == "exeunt"
    assert others(pod) == ["base"]


@pytest.mark.parametrize("form", ["classic", "regular"])
def test_an_agent_that_watches_processes_gets_the_base_container_name(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, name = FORMS[form]
    use_settings(monkeypatch, settings)
    pod = built(tmp_path, base_container_name="train", do_xcom_push=XCOM_WORKS)
    agent = pod["spec"][name][0]
    assert agent["args"][agent["args"].index("--container") + 1] == "train"


@pytest.mark.parametrize("form", ["native", "classic", "regular"])
def test_a_pod_without_a_grace_period_has_an_agent_with_a_second(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, name = FORMS[form]
    use_settings(monkeypatch, settings)
    pod = built(tmp_path, termination_grace_period=0, do_xcom_push=XCOM_WORKS)
    # Kubelet gives each container two seconds. Older providers do not write their argument into the pod.
    is_written = pod["spec"].get("terminationGracePeriodSeconds") == 0
    words = pod["spec"][name][0]["args"]
    assert ("--grace-period" in words) == is_written == GRACE_IS_WRITTEN
    assert not is_written or words[words.index("--grace-period") + 1] == "1s"


def test_an_agent_that_kubelet_tells_gets_only_the_grace_period(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_settings(monkeypatch, Settings(proxy="native"))
    # Older providers do not write their argument termination_grace_period into the pod.
    spec = V1Pod(spec=V1PodSpec(containers=[V1Container(name="train")], termination_grace_period_seconds=45))
    pod = built(tmp_path, base_container_name="train", do_xcom_push=True, full_pod_spec=spec)
    assert pod["spec"]["initContainers"][0]["args"] == ["watch", "--placement", "native", "--grace-period", "45s"]
    assert pod["spec"]["terminationGracePeriodSeconds"] == 45
    assert "shareProcessNamespace" not in pod["spec"]
    assert others(pod) == ["train", XCOM_HELPER]


def test_the_executors_worker_pod_with_a_pod_override(agents_list: str) -> None:
    override = V1Pod(spec=V1PodSpec(containers=[V1Container(name="base", image="own:1")]))
    pod = vectors.plain(worker_pod("t", override))
    assert first(pod, agents_list) == "exeunt"
    assert others(pod) == ["base"]
    assert pod["metadata"]["annotations"]["dag_id"] == DAG
    assert pod["metadata"]["labels"]["app.kubernetes.io/name"] == f"{DAG}.t"


def test_a_pod_of_the_job_operator(tmp_path: Path, agents_list: str) -> None:
    template = built_job(tmp_path, image="busybox:1")
    assert first(template, agents_list) == "exeunt"
    assert template["metadata"]["labels"]["exeunt.dev/drain"] == "on"


@pytest.mark.usefixtures("agents_list")
def test_a_pod_stays_unchanged_if_the_job_operator_merges_a_template_after_the_hook(tmp_path: Path) -> None:
    own = V1PodTemplateSpec(spec=V1PodSpec(containers=[V1Container(name="base", image="own:1", command=["work"])]))
    template = built_job(tmp_path, full_job_spec=V1Job(spec=V1JobSpec(template=own)))
    assert others(template) == [one["name"] for one in template["spec"]["containers"]] == ["base"]
    assert not template["spec"].get("initContainers")
    assert (template["spec"]["containers"][0]["image"], template["spec"]["containers"][0]["command"]) == ("own:1", ["work"])


def test_the_executor_still_reads_the_task_from_the_annotations(agents_list: str) -> None:
    pod = worker_pod("t")
    assert first(vectors.plain(pod), agents_list) == "exeunt"
    key = annotations_to_key(pod.metadata.annotations)
    assert (key.dag_id, key.task_id, key.try_number) == (DAG, "t", 1)


def test_the_hook_does_not_get_the_pods_of_spark() -> None:
    # The operator makes a SparkApplication, and Spark's own operator makes its pods. docs/airflow.md says what to do.
    for module in (spark_kubernetes, custom_object_launcher):
        assert "pod_mutation_hook" not in inspect.getsource(module)
    assert "build_pod_request_obj" not in inspect.getsource(spark_kubernetes)


def test_airflow_reads_the_changed_pod_again_without_loss(agents_list: str) -> None:
    pod = vectors.plain(worker_pod("t"))
    assert first(pod, agents_list) == "exeunt"
    assert vectors.plain(PodGenerator.deserialize_model_dict(pod)) == pod
