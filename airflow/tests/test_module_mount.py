"""The module of the plugin, mounted into istio-proxy by Istio's annotations."""

import json
from pathlib import Path

import pytest
import yaml

import vectors
from exeunt_airflow import module_mount
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
VOLUME, MOUNT = "sidecar.istio.io/userVolume", "sidecar.istio.io/userVolumeMount"
IMAGE = Settings(module="image", image="mirror/agent:1")


def by_component(name: str) -> dict[str, object]:
    """The annotations that the component of kustomize for this source gives a Job."""
    job = yaml.safe_load((ROOT / "deploy" / "kustomize" / "components" / f"module-{name}" / "job.yaml").read_text())
    return {key: json.loads(text) for key, text in job["spec"]["template"]["metadata"]["annotations"].items()}


@pytest.mark.parametrize(("module", "component"), [("configMap", "configmap"), ("image", "image")])
def test_the_proxy_mounts_the_module_as_by_the_component_of_kustomize(module: str, component: str) -> None:
    pod = vectors.pod("kpo-plain")
    mutation_of(pod, Settings(module=module), lambda _: vectors.NATIVE).apply(pod)  # type: ignore[arg-type]
    told = {key: json.loads(pod.metadata.annotations[key]) for key in (VOLUME, MOUNT)}
    assert told == by_component(component)


def test_the_image_is_the_agents_with_its_pull_policy() -> None:
    told = module_mount.annotations({}, Settings(module="image", image="mirror/agent:1", image_pull_policy="Always"))
    assert json.loads(told[VOLUME]) == {"exeunt-module": {"image": {"reference": "mirror/agent:1", "pullPolicy": "Always"}}}


def test_without_the_setting_nothing_is_mounted() -> None:
    assert module_mount.annotations({}, Settings()) == {}


def test_mounts_of_the_pods_own_stay() -> None:
    own = {VOLUME: '{"mine": {"emptyDir": {}}}', MOUNT: '{"mine": {"mountPath": "/mine"}}'}
    told = module_mount.annotations(own, IMAGE)
    for key, text in own.items():
        assert json.loads(told[key]).items() > json.loads(text).items()
        assert "exeunt-module" in json.loads(told[key])


@pytest.mark.parametrize(
    "own",
    [
        {VOLUME: '{"exeunt-module": {"emptyDir": {}}}'},
        {MOUNT: '{"mine": {"mountPath": "/etc/exeunt"}}'},
        {VOLUME: "[]"},
        {MOUNT: "mine"},
    ],
)
def test_a_pod_with_something_else_there_keeps_that(own: dict[str, str]) -> None:
    assert module_mount.annotations(own, IMAGE) == {}
