"""The injector gives a pod the agent that the vectors describe, and changes nothing else.

The vectors are those of the Airflow hook, so both give a pod the same container. What differs is listed here, with its reason.
"""

import copy
import json
from typing import Any

import pytest
import yaml

from chart.programs import Resource, judge
from inject import pods
from inject.conftest import Injector
from inject.pods import AGENT, LABEL, PROXY, SKIPPED

# Pods with a native proxy that no injector has marked. Where proxies are classic, Istio alone adds a second istio-proxy to
# them, and the API server refuses that, so there is nothing to compare.
WITH_A_NATIVE_PROXY = ("injected-before", "kpo-native-succeeded")

# What the vectors call not applicable or in need of attention, and becomes something else here.
DIFFERENCES = {
    # The API server has refused a pod without an image before it asks a webhook, so the template need not look for one.
    "job-template": "agent",
    # Istio itself refuses a pod whose configuration it cannot read.
    "config-not-yaml": "refused",
    "config-not-a-mapping": "refused",
    "metadata-not-a-mapping": "refused",
}


def outcome(without: Any, having: Any) -> str:
    """What has become of a pod: refused, agent, skipped (with a reason), or untouched."""
    if having.refused:
        return "refused"
    if SKIPPED in having.pod["metadata"].get("annotations", {}):
        return "skipped"
    if having.pod == without.pod:
        return "untouched"
    return "agent"


# The variables of istio-proxy that the template sets.
OURS = ("ISTIO_META_HTTP_PROXY_PORT", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS")

# Istio before 1.28 does not show restartPolicyRules to the template. Only a container with its own restartPolicy can have them.
KNOWS_RULES = (1, 28)
MAY_HAVE_RULES = ("own-restart-policy", "own-restart-rules")


# Istio before 1.25 does not show the resources of a pod as a whole, so there the agent has its own in such a pod, too.
KNOWS_POD_RESOURCES = (1, 25)
WITH_POD_RESOURCES = ("pod-level-resources",)


def wanted(name: str, injector: Injector) -> str:
    """What must become of a vector."""
    form = injector.form
    if name in MAY_HAVE_RULES and form != "native" and injector.release.version < KNOWS_RULES:
        return "skipped"
    return DIFFERENCES.get(name) or pods.outcome(name, form)


def with_agent(injector: Injector) -> list[str]:
    """The vectors that get an agent in this form."""
    return [name for name in pods.NAMES if wanted(name, injector) == "agent" and pods.expected(name, injector.form)]


def has_two_proxies(name: str, injector: Injector) -> bool:
    """Whether Istio alone makes a pod of it that the API server refuses."""
    without, _ = injector.answers(name)
    two = bool(without.pod) and all(PROXY in pods.names(without.pod, place) for place in pods.LISTS)
    assert two is (name in WITH_A_NATIVE_PROXY and injector.form != "native")
    return two


def container(found: Resource) -> Resource:
    """The agent's container as an API server writes it, with the JSON of its arguments read: its spaces do not count."""
    found = {"resources": {}} | copy.deepcopy(found)
    found["args"] = [pods.argument(word) for word in found.get("args") or []]
    return found


@pytest.mark.parametrize("name", pods.NAMES)
def test_a_vector_has_the_outcome_that_it_has_everywhere(name: str, injector: Injector) -> None:
    without, having = injector.answers(name)
    assert bool(without.refused) == bool(having.refused), having.refused
    assert outcome(without, having) == wanted(name, injector)


@pytest.mark.parametrize("name", pods.NAMES)
def test_the_agent_is_that_of_the_vectors(name: str, injector: Injector) -> None:
    expected = pods.expected(name, injector.form)
    if wanted(name, injector) != "agent" or expected is None:
        return
    _, having = injector.answers(name)
    place, agent = pods.agent_of(having.pod)
    wanted_place, wanted_agent = pods.agent_of(expected)
    assert place == wanted_place
    found, told = container(agent), container(wanted_agent)
    if name in WITH_POD_RESOURCES and injector.release.version < KNOWS_POD_RESOURCES:
        assert found.pop("resources") != told.pop("resources")
    assert found == told
    assert having.pod["metadata"]["labels"][LABEL] == "on"
    assert having.pod["spec"].get("shareProcessNamespace") == expected["spec"].get("shareProcessNamespace")
    volumes = [[one for one in pod["spec"].get("volumes") or [] if one["name"] == AGENT] for pod in (having.pod, expected)]
    assert volumes[0] == volumes[1]


@pytest.mark.parametrize("name", pods.NAMES)
def test_the_proxy_is_told_what_the_vectors_say_in_an_annotation(name: str, injector: Injector) -> None:
    """The hook writes proxy.istio.io/config, of which Istio makes variables. The template sets the variables themselves."""
    expected = pods.expected(name, injector.form)
    if wanted(name, injector) != "agent" or expected is None:
        return
    if has_two_proxies(name, injector):
        return
    without, having = injector.answers(name)
    told = yaml.safe_load(expected["metadata"]["annotations"]["proxy.istio.io/config"])["proxyMetadata"]
    before, after = (pods.variables(pods.proxy_of(one.pod)) for one in (without, having))
    added = {key: value for key, value in after.items() if before.get(key) != value}
    assert added == {key: value for key, value in told.items() if before.get(key) != value and key in OURS}
    assert all(after[key] == value for key, value in told.items() if key in OURS)


@pytest.mark.parametrize("name", [*pods.NAMES, *pods.REAL_NAMES])
def test_everything_else_is_as_istio_alone_makes_it(name: str, injector: Injector) -> None:
    without, having = injector.answers(name)
    if having.refused or has_two_proxies(name, injector):
        return
    assert rest(having.pod) == rest(without.pod)


def rest(pod: Resource) -> Resource:
    """The pod without what the template may add."""
    pod = copy.deepcopy(pod)
    metadata, spec = pod["metadata"], pod["spec"]
    for words, key in ((metadata.get("labels", {}), LABEL), (metadata.get("annotations", {}), SKIPPED)):
        words.pop(key, None)
    spec.pop("shareProcessNamespace", None)
    for place in (*pods.LISTS, "volumes"):
        spec[place] = [one for one in spec.get(place) or [] if one["name"] != AGENT]
        for one in spec[place]:
            if one["name"] == PROXY:
                one["env"] = sorted((one for one in one["env"] if one["name"] not in OURS), key=lambda one: one["name"])
    status = json.loads(metadata.get("annotations", {}).get("sidecar.istio.io/status", "{}"))
    for place in (*pods.LISTS, "volumes"):
        status[place] = [one for one in status.get(place) or [] if one != AGENT]
    metadata.get("annotations", {})["sidecar.istio.io/status"] = status
    return pod


@pytest.mark.parametrize("name", [*pods.NAMES, *pods.REAL_NAMES])
def test_the_agent_stands_where_it_sees_every_other_container(name: str, injector: Injector) -> None:
    without, having = injector.answers(name)
    if having.refused or has_two_proxies(name, injector):
        return
    if not any(AGENT in pods.names(having.pod, place) for place in pods.LISTS):
        return
    if any(AGENT in pods.names(without.pod, place) for place in pods.LISTS):
        return
    place, _ = pods.agent_of(having.pod)
    others = [one for one in pods.names(having.pod, place) if one != AGENT]
    before = pods.names(having.pod, place)[: pods.names(having.pod, place).index(AGENT)]
    if PROXY in pods.names(having.pod, "initContainers"):
        # Directly behind a native proxy: the other native sidecars end first, and the proxy ends last.
        assert (place, before[-1]) == ("initContainers", PROXY)
        assert others[: len(before)] == before
    else:
        # In front of everything, but for a proxy for which the application waits.
        assert [one for one in before if one != PROXY] == []


@pytest.mark.parametrize("name", [*pods.NAMES, *pods.REAL_NAMES])
def test_a_second_injection_changes_nothing(name: str, injector: Injector) -> None:
    (first_without, first), (without, having) = injector.answers(name), injector.again(name)
    if first.refused:
        return
    if without.pod == first_without.pod:
        assert having.pod == first.pod
    else:
        # A pod with an istio-proxy of its own: Istio alone sets its image back. The template adds nothing to that.
        assert rest(having.pod) == rest(without.pod)
        assert pods.agent_of(having.pod) == pods.agent_of(first.pod)


def test_an_api_server_takes_every_pod_with_an_agent(injector: Injector) -> None:
    found = []
    for name in [*with_agent(injector), *pods.REAL_NAMES]:
        _, having = injector.answers(name)
        if not has_two_proxies(name, injector) and any(AGENT in pods.names(having.pod, place) for place in pods.LISTS):
            # What the API server adds before it looks at a pod: its name, and the account.
            metadata = {key: value for key, value in having.pod["metadata"].items() if key != "generateName"} | {"name": name}
            found.append(having.pod | {"metadata": metadata, "spec": {"serviceAccountName": "default"} | having.pod["spec"]})
    assert len(found) > 40
    # The name of the release is a placeholder in the worker that Airflow's chart makes.
    said = judge(yaml.safe_dump_all(found).replace("RELEASE-NAME", "release"))
    assert said.ok, said.out


def test_the_differences_are_still_there(injector: Injector) -> None:
    """Each entry in DIFFERENCES is a vector that has another outcome elsewhere."""
    unchanged = pods.load("unchanged.yaml")[injector.form]
    assert set(DIFFERENCES) <= set(unchanged)
