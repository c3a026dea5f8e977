"""The agent's container is adjustable in every field, and a mistake in an option breaks no pod."""

import json
from typing import Any

import pytest

from inject import pods
from inject.answers import agent, has_agent, injected, reason
from inject.pods import LABEL, changed, job
from inject.releases import Release
from inject.template import with_options

LABELS = 'dict "team" "data" "exeunt.dev/drain" "off" "app.kubernetes.io/part-of" "reports"'
PROBES = 'dict "startupProbe" (dict "exec" (dict "command" (list "/exeunt-agent" "version")) "periodSeconds" 2)'


def as_map(value: Any) -> str:
    """A map or a list as the chart writes it into the template."""
    return f"fromJson `{json.dumps(value)}`"


def test_the_container_is_adjustable(release: Release, native: bool) -> None:
    usual = agent(release, native)
    assert "imagePullPolicy" not in usual
    assert agent(release, native, pullPolicy='"Always"')["imagePullPolicy"] == "Always"
    other = agent(release, native, uid='"4242"')["securityContext"]
    assert (other["runAsUser"], other["runAsGroup"]) == (4242, 4242)
    nobody = agent(release, native, uid='"none"')["securityContext"]
    assert nobody == {key: value for key, value in other.items() if key not in ("runAsUser", "runAsGroup")}
    more = agent(release, native, arguments='list "--drain-timeout" "10m"')["args"]
    assert more == [*usual["args"], "--drain-timeout", "10m"]


def test_strange_arguments_are_as_they_are_written(release: Release) -> None:
    """The injector reads the template's output as YAML."""
    strange = ['a "b" {{ c }} $1 \\ <e> & %s', "it's\n\t- name: evil\n", "{{- end }}", "|-", "\\u0041\\n", "\u2028\a\r", "größer"]
    told = agent(release, True, arguments=f"list {' '.join(map(json.dumps, strange))}")["args"]
    assert told[-len(strange) :] == strange


@pytest.mark.parametrize(
    "resources",
    [
        {},
        {"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}},
        {"limits": {"memory": "16Mi", "ephemeral-storage": "1Gi"}},
        {"requests": {"cpu": "1500m"}},
    ],
)
def test_the_resources_are_those_that_are_told(resources: dict[str, Any], release: Release, native: bool) -> None:
    assert agent(release, native, resources=as_map(resources)).get("resources", {}) == resources


def test_a_pod_with_resources_as_a_whole_gives_the_agent_a_part_of_them(release: Release, native: bool) -> None:
    pod = changed(resources={"requests": {"cpu": "1", "memory": "1Gi"}})
    # The API of Istio 1.24 does not have that field yet.
    expected = bool(agent(release, native).get("resources")) if release.version < (1, 25) else False
    assert bool(agent(release, native, pod).get("resources")) is expected
    assert agent(release, native, changed(resources={})).get("resources")


def test_more_labels_come_to_a_pod_that_does_not_have_them(release: Release, native: bool) -> None:
    pod = job()
    pod["metadata"]["labels"] |= {"team": "the-pod-s-own"}
    told = injected(release, native, pod, labels=LABELS)["metadata"]["labels"]
    before = injected(release, native, pod)["metadata"]["labels"]
    assert before[LABEL] == "on"
    assert told == before | {"app.kubernetes.io/part-of": "reports"}
    (off,) = release.inject(with_options(labels=LABELS), native, [pods.labelled("off", job())])
    assert not has_agent(off)
    assert "team" not in (off.pod or {})["metadata"]["labels"]


def test_the_agent_has_the_probes_that_are_told(release: Release, native: bool) -> None:
    usual, probed = agent(release, native), agent(release, native, probes=PROBES)
    assert probed == usual | {"startupProbe": {"exec": {"command": ["/exeunt-agent", "version"]}, "periodSeconds": 2}}
    for probe in ("livenessProbe", "readinessProbe"):
        told = {probe: {"exec": {"command": ["/exeunt-agent", "version"]}}}
        assert agent(release, native, probes=as_map(told))[probe] == told[probe]


MISTAKES = {
    "select": ("all", "jobs or labelled"),
    "image": ("registry.example/Exeunt-Agent", "an image"),
    "pullPolicy": ("always", "Always, IfNotPresent, Never or empty"),
    "signalPort": ("http", "a port or empty"),
    "placement": ("sidecar", "native or regular"),
    # User 0 is refused by kubelet, because the agent says that it is not root.
    "uid": ("0", "a number or none"),
    "shareProcesses": ("yes", "always, unless-root or never"),
    "gracePeriod": ("5m", "a number of seconds or empty"),
    "module": ("oci", "none, configMap or image"),
}


@pytest.mark.parametrize("option", MISTAKES)
def test_a_mistake_in_an_option_breaks_no_pod(option: str, release: Release, native: bool) -> None:
    value, must = MISTAKES[option]
    (answer,) = release.inject(with_options(**{option: f'"{value}"'}), native, [job()])
    assert not has_agent(answer)
    assert reason(answer) == f'the option {option} of the injection template is "{value}": must be {must}'


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": 'dict "team" "data and more"'}, 'the option labels of the injection template has "team=data and more"'),
        ({"labels": 'dict "a/b/c" ""'}, 'the option labels of the injection template has "a/b/c="'),
        ({"resources": 'dict "limits" (dict "memory" "16 MB")'}, "has limits memory=16 MB: must be a quantity"),
        ({"resources": 'dict "requests" (dict "cpu" "")'}, "has requests cpu=: must be a quantity"),
        ({"resources": 'dict "limits" (dict "memory" "16m")'}, "has limits memory=16m: must be a quantity"),
        ({"labels": 'dict "a..b/team" "x"'}, 'has "a..b/team=x": must be a label'),
    ],
)
def test_a_mistake_in_a_map_breaks_no_pod(options: dict[str, str], said: str, release: Release, native: bool) -> None:
    (answer,) = release.inject(with_options(**options), native, [job()])
    assert not has_agent(answer)
    assert said in reason(answer)


QUANTITIES = [("cpu", "500u"), ("cpu", ".5"), ("memory", "1e9"), ("memory", "0.5T"), ("memory", "1Ti")]


@pytest.mark.parametrize(("name", "amount"), QUANTITIES)
def test_a_quantity_is_as_kubernetes_writes_it(name: str, amount: str, release: Release) -> None:
    """The chart takes all of these."""
    told = agent(release, True, resources=f'dict "requests" (dict "{name}" "{amount}")')["resources"]["requests"]
    assert list(told) == [name]


NUMBERS = [("16000", "4242", "300"), ('"16000"', '"4242"', '"300"')]


def test_a_number_may_be_written_without_quotes(release: Release, native: bool) -> None:
    written = [injected(release, native, signalPort=port, uid=uid, gracePeriod=time) for port, uid, time in NUMBERS]
    assert written[0] == written[1]
    assert "16000" in str(written[0])


@pytest.mark.parametrize(
    "image",
    ["exeunt-agent", "10.5.9.1:5000/a/b-c_d.e/exeunt-agent:0.1.0", "ghcr.io/x/y:Tag@sha256:" + "0a" * 32, "Host.example/x"],
)
def test_every_name_that_an_image_can_have_is_taken(image: str, release: Release) -> None:
    assert agent(release, True, image=f'"{image}"')["image"] == image
