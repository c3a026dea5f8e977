"""Pods of unusual shape."""

import copy
from typing import Any

import pytest
import yaml

from chart.programs import Resource, judge
from inject import pods
from inject.answers import has_agent, injected, reason, taken
from inject.pods import AGENT, PROXY, changed, job
from inject.releases import Release
from inject.template import with_options

IMAGES = ["exeunt-agent", "ghcr.io/exeunt-dev/exeunt-agent:0.1.0", "host:5000/x/exeunt-agent@sha256:0"]


@pytest.mark.parametrize("place", pods.LISTS)
def test_an_agent_of_another_name_is_an_agent(place: str, release: Release, native: bool) -> None:
    for image in IMAGES:
        pod = job()
        pod["spec"][place] = [*(pod["spec"].get(place) or []), {"name": "drain", "image": image}]
        without, having = (release.inject(template, native, [pod]) for template in (None, with_options()))
        assert having == without


def test_an_image_with_a_name_that_only_begins_so_is_no_agent(release: Release, native: bool) -> None:
    for image in ("exeunt-agent-tests", "my-exeunt-agent", "exeunt-agent/main"):
        pod = job()
        pod["spec"]["containers"][0]["image"] = image
        assert pods.agent_of(injected(release, native, pod))


OTHER_SYSTEMS: list[dict[str, Any]] = [
    {"os": {"name": "windows"}},
    {"nodeSelector": {"kubernetes.io/os": "windows"}},
    {"os": {"name": "windows"}, "nodeSelector": {"kubernetes.io/os": "linux"}},
]


@pytest.mark.parametrize("spec", OTHER_SYSTEMS)
def test_a_pod_for_another_system_stays_as_istio_makes_it(spec: dict[str, Any], release: Release, native: bool) -> None:
    without, having = (release.inject(template, native, [changed(**spec)]) for template in (None, with_options()))
    assert having == without


def test_a_pod_on_the_network_of_its_node_stays_as_it_is(release: Release, native: bool) -> None:
    pod = changed(hostNetwork=True)
    (answer,) = release.inject(with_options(), native, [pod])
    assert not has_agent(answer)
    assert PROXY not in pods.names(taken(answer), "containers") + pods.names(taken(answer), "initContainers")


def test_a_pod_that_opts_out_of_injection_gets_nothing(release: Release, native: bool) -> None:
    pod = pods.labelled("on", job())
    pod["metadata"]["labels"]["sidecar.istio.io/inject"] = "false"
    (answer,) = release.inject(with_options(), native, [pod])
    assert not has_agent(answer)
    assert AGENT not in str(taken(answer)["spec"])


def with_own_proxy(place: str = "containers", **fields: Any) -> Resource:
    """A pod that changes Istio's container, as Istio documents it."""
    pod = job()
    pod["spec"].setdefault(place, [])
    pod["spec"][place] = [*(pod["spec"][place] or []), {"name": PROXY, "image": "auto"} | fields]
    return pod


def test_a_pod_that_changes_the_proxy_keeps_its_changes(release: Release, native: bool) -> None:
    own = with_own_proxy(
        "initContainers" if native else "containers",
        resources={"requests": {"cpu": "7m"}},
        env=[{"name": "MINE", "value": "1"}],
        volumeMounts=[{"name": "mine", "mountPath": "/mine"}],
    )
    own["spec"]["volumes"] = [{"name": "mine", "emptyDir": {}}]
    pod = injected(release, native, own, module='"configMap"')
    proxy = pods.proxy_of(pod)
    told = pods.variables(proxy)
    assert (told["MINE"], told["ISTIO_META_HTTP_PROXY_PORT"]) == ("1", "15190")
    assert proxy["resources"]["requests"]["cpu"] == "7m"
    assert {one["mountPath"] for one in proxy["volumeMounts"]} >= {"/mine", "/etc/exeunt"}
    args = pods.agent_of(pod)[1]["args"]
    assert PROXY not in args
    assert ("--container" in args) is not native


def test_a_proxy_with_a_mount_of_its_own_in_the_place_of_the_module_keeps_it(release: Release, native: bool) -> None:
    own = with_own_proxy(
        "initContainers" if native else "containers", volumeMounts=[{"name": "mine", "mountPath": "/etc/exeunt"}]
    )
    own["spec"]["volumes"] = [{"name": "mine", "emptyDir": {}}]
    pod = injected(release, native, own, module='"configMap"')
    there = [one["name"] for one in pods.proxy_of(pod)["volumeMounts"] if one["mountPath"] == "/etc/exeunt"]
    assert there == ["mine"]
    assert pods.agent_of(pod)


# Every option that the vectors do not have.
OPTIONS = {
    "labels": 'dict "team" "data"',
    "probes": 'dict "startupProbe" (dict "exec" (dict "command" (list "/exeunt-agent" "version")))',
    "gracePeriod": '"90"',
    "uid": '"none"',
    "pullPolicy": '"IfNotPresent"',
    "signalPort": '"16000"',
    "arguments": 'list "--drain-timeout" "1m"',
}


def test_an_api_server_takes_a_pod_with_every_option(release: Release, native: bool) -> None:
    found = []
    for module in ("configMap", "image"):
        pod = injected(release, native, module=f'"{module}"', **OPTIONS)
        metadata = {key: value for key, value in pod["metadata"].items() if key != "generateName"} | {"name": module.lower()}
        # What the API server adds before it looks at a pod.
        found.append(pod | {"metadata": metadata, "spec": {"serviceAccountName": "default"} | pod["spec"]})
    said = judge(yaml.safe_dump_all(found))
    assert said.ok, said.out


def test_the_agent_and_its_pod_are_the_same_after_a_second_injection(release: Release, native: bool) -> None:
    options = OPTIONS | {"module": '"configMap"'}
    for pod in (job(), changed(resources={"requests": {"cpu": "2", "memory": "2Gi"}}), changed(hostUsers=False)):
        first = injected(release, native, pod, **options)
        again = injected(release, native, copy.deepcopy(first), **options)
        assert again == first


def test_a_reason_stays_the_same_after_a_second_injection(release: Release, native: bool) -> None:
    (first,) = release.inject(with_options(), native, [changed(restartPolicy="Always")])
    (again,) = release.inject(with_options(), native, [copy.deepcopy(taken(first))])
    assert reason(again) == reason(first)
    assert again == first
