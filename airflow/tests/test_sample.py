"""The sample for users without the hook has what the hook adds: deploy/samples/airflow-pod-template.yaml."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

import vectors
from exeunt_airflow.container_names import AGENT
from exeunt_airflow.eligibility import DRAIN_LABEL
from exeunt_airflow.form import NATIVE_PROXY
from exeunt_airflow.hook import pod_mutation_hook
from exeunt_airflow.proxy_config import ANNOTATION
from exeunt_airflow.settings import Settings
from real_airflow.hook_settings import use_settings

SAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "samples" / "airflow-pod-template.yaml"


def without_exeunt(sample: Any) -> Any:
    """The same pod without everything that exeunt needs."""
    pod = copy.deepcopy(sample)
    del pod["metadata"]["labels"][DRAIN_LABEL]
    del pod["metadata"]["annotations"][ANNOTATION]
    del pod["metadata"]["annotations"][NATIVE_PROXY]
    pod["spec"]["initContainers"] = [one for one in pod["spec"]["initContainers"] if one["name"] != AGENT]
    return pod


def test_the_hook_adds_what_the_sample_has(monkeypatch: pytest.MonkeyPatch) -> None:
    use_settings(monkeypatch, Settings(proxy="native"))
    sample = yaml.safe_load(SAMPLE.read_text())
    pod = PodGenerator.deserialize_model_dict(without_exeunt(sample))
    pod_mutation_hook(pod)
    # The pods of the sample are in the mesh, where Envoy tells the agent its placement.
    agent = pod.spec.init_containers[0]
    assert agent.args == ["watch", "--placement", "native"]
    agent.args = None
    assert vectors.comparable(vectors.plain(pod)) == vectors.comparable(sample)
