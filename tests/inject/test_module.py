"""The plugin's module as a file of istio-proxy: from a ConfigMap, or from the agent's image."""

import copy
import json

import pytest

from chart.programs import Resource
from inject import pods
from inject.answers import has_agent, injected, taken
from inject.pods import changed, job
from inject.releases import Release
from inject.template import IMAGE, with_options

MODULE = "exeunt-module"
MOUNT = {"name": MODULE, "mountPath": "/etc/exeunt", "readOnly": True}
SOURCES = {
    "configMap": {"configMap": {"name": MODULE, "optional": True}},
    "image": {"image": {"reference": IMAGE}},
}


@pytest.fixture(params=SOURCES)
def module(request: pytest.FixtureRequest) -> str:
    """Where the module comes from."""
    return str(request.param)


def volumes(pod: Resource) -> list[Resource]:
    """The pod's volumes with the name of the module's."""
    return [one for one in pod["spec"].get("volumes") or [] if one["name"] == MODULE]


def mounts(pod: Resource) -> list[Resource]:
    """What is mounted into istio-proxy where the module belongs, or by its name."""
    found = pods.proxy_of(pod).get("volumeMounts") or []
    return [one for one in found if one["name"] == MODULE or one["mountPath"] == MOUNT["mountPath"]]


def test_the_proxy_has_the_module_as_a_file(module: str, release: Release, native: bool) -> None:
    having, without = injected(release, native, module=f'"{module}"'), injected(release, native)
    assert volumes(having) == [{"name": MODULE} | SOURCES[module]]
    assert mounts(having) == [MOUNT]
    # Nothing else differs: the agent's container, the other volumes and mounts, and their order.
    status = json.loads(having["metadata"]["annotations"]["sidecar.istio.io/status"])
    assert MODULE in status["volumes"]
    status["volumes"].remove(MODULE)
    having["metadata"]["annotations"]["sidecar.istio.io/status"] = json.dumps(status)
    without["metadata"]["annotations"]["sidecar.istio.io/status"] = json.dumps(
        json.loads(without["metadata"]["annotations"]["sidecar.istio.io/status"])
    )
    having["spec"]["volumes"].remove({"name": MODULE} | SOURCES[module])
    pods.proxy_of(having)["volumeMounts"].remove(MOUNT)
    assert having == without


def test_by_default_nothing_is_mounted(release: Release, native: bool) -> None:
    pod = injected(release, native)
    assert (volumes(pod), mounts(pod)) == ([], [])


def test_a_proxy_without_a_signal_listener_has_it_too(module: str, release: Release, native: bool) -> None:
    """The signal can also travel to the address of a ServiceEntry."""
    pod = injected(release, native, module=f'"{module}"', signalPort='""')
    assert mounts(pod) == [MOUNT]
    assert volumes(pod) == [{"name": MODULE} | SOURCES[module]]


def test_a_pod_without_the_agent_gets_no_module(module: str, release: Release, native: bool) -> None:
    for pod in (pods.plain(), changed(restartPolicy="Always"), pods.labelled("off", job())):
        (answer,) = release.inject(with_options(module=f'"{module}"'), native, [pod])
        assert not has_agent(answer)
        assert (volumes(taken(answer)), mounts(taken(answer))) == ([], [])


def test_the_pull_policy_is_also_that_of_the_volume(release: Release, native: bool) -> None:
    (volume,) = volumes(injected(release, native, module='"image"', pullPolicy='"Never"'))
    assert volume == {"name": MODULE, "image": {"reference": IMAGE, "pullPolicy": "Never"}}


OWN_MOUNT = {"mountPath": "/etc/exeunt"}
OWN = {
    "a volume with the module's name": changed(volumes=[{"name": MODULE, "emptyDir": {}}]),
    "a ConfigMap of another name": changed(volumes=[{"name": MODULE, "configMap": {"name": "mine", "optional": True}}]),
    "an annotation with the module's name": job(),
    "an annotation with the module's place": job(),
}
OWN["an annotation with the module's name"]["metadata"]["annotations"] = {
    "sidecar.istio.io/userVolume": json.dumps({MODULE: {"hostPath": {"path": "/srv"}}}),
    "sidecar.istio.io/userVolumeMount": json.dumps({MODULE: {"mountPath": "/srv"}}),
}
OWN["an annotation with the module's place"]["metadata"]["annotations"] = {
    "sidecar.istio.io/userVolume": json.dumps({"mine": {"emptyDir": {}}}),
    "sidecar.istio.io/userVolumeMount": json.dumps({"mine": OWN_MOUNT}),
}


@pytest.mark.parametrize("own", OWN)
def test_a_pod_that_mounts_another_thing_there_keeps_that(own: str, module: str, release: Release, native: bool) -> None:
    without, having = injected(release, native, OWN[own]), injected(release, native, OWN[own], module=f'"{module}"')
    assert having == without
    assert pods.agent_of(having)


def test_a_pod_that_mounts_something_elsewhere_has_both(module: str, release: Release, native: bool) -> None:
    pod = job()
    pod["metadata"]["annotations"] = {
        "sidecar.istio.io/userVolume": json.dumps({"mine": {"emptyDir": {}}}),
        "sidecar.istio.io/userVolumeMount": json.dumps({"mine": {"mountPath": "/srv"}}),
    }
    having = injected(release, native, pod, module=f'"{module}"')
    assert mounts(having) == [MOUNT]
    assert {"name": "mine", "mountPath": "/srv"} in pods.proxy_of(having)["volumeMounts"]


def test_a_second_injection_changes_nothing(module: str, release: Release, native: bool) -> None:
    first = injected(release, native, module=f'"{module}"')
    pod = copy.deepcopy(first)
    # What the API server adds before it asks the injector again.
    (volume,) = volumes(pod)
    volume[module] |= {"configMap": {"defaultMode": 420}, "image": {"pullPolicy": "IfNotPresent"}}[module]
    again = injected(release, native, pod, module=f'"{module}"')
    assert volumes(again) == [volume]
    assert mounts(again) == [MOUNT]
    (volume,) = volumes(again)
    volume |= SOURCES[module]
    assert again == first
