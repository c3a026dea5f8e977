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


def wanted(name: str, form: str) -> str:
    """What must become of a vector."""
    if name in DIFFERENCES:
        return DIFFERENCES[name]
    if pods.expected(name, form):
        return "agent"
    return {"not-applicable": "untouched", "needs-attention": "skipped"}[pods.load("unchanged.yaml")[form][name]]


def with_agent(form: str) -> list[str]:
    """The vectors that get an agent in this form."""
    return [name for name in pods.NAMES if wanted(name, form) == "agent" and pods.expected(name, form)]


def container(found: Resource) -> Resource:
    """The agent's container, with the JSON of its arguments read: it may be written with spaces or without."""
    found = copy.deepcopy(found)
    found["args"] = [read(word) for word in found["args"]]
    return found


def read(word: str) -> Any:
    """An argument NAME=JSON as name and value, any other as it is."""
    name, equals, value = word.partition("=[")
    return [name, json.loads(f"[{value}")] if equals else word


@pytest.mark.parametrize("name", pods.NAMES)
def test_a_vector_has_the_outcome_that_it_has_everywhere(name: str, injector: Injector) -> None:
    without, having = injector.answers(name)
    assert bool(without.refused) == bool(having.refused), having.refused
    assert outcome(without, having) == wanted(name, injector.form)


@pytest.mark.parametrize("name", pods.NAMES)
def test_the_agent_is_that_of_the_vectors(name: str, injector: Injector) -> None:
    expected = pods.expected(name, injector.form)
    if wanted(name, injector.form) != "agent" or expected is None:
        return
    _, having = injector.answers(name)
    place, agent = pods.agent_of(having.pod)
    wanted_place, wanted_agent = pods.agent_of(expected)
    assert place == wanted_place
    assert container(agent) == container(wanted_agent)
    assert having.pod["metadata"]["labels"][LABEL] == "on"
    assert having.pod["spec"].get("shareProcessNamespace") == expected["spec"].get("shareProcessNamespace")
    volumes = [[one for one in pod["spec"].get("volumes") or [] if one["name"] == AGENT] for pod in (having.pod, expected)]
    assert volumes[0] == volumes[1]


@pytest.mark.parametrize("name", pods.NAMES)
def test_the_proxy_is_told_what_the_vectors_say_in_an_annotation(name: str, injector: Injector) -> None:
    """The hook writes proxy.istio.io/config, of which Istio makes variables. The template sets the variables themselves."""
    expected = pods.expected(name, injector.form)
    if wanted(name, injector.form) != "agent" or expected is None:
        return
    without, having = injector.answers(name)
    told = json.loads(json.dumps(_proxy_metadata(expected)))
    before, after = (pods.variables(pods.proxy_of(one.pod)) for one in (without, having))
    added = {key: value for key, value in after.items() if before.get(key) != value}
    assert added == {key: value for key, value in told.items() if before.get(key) != value and key.isupper() and key in OURS}
    assert all(after[key] == value for key, value in told.items() if key in OURS)


OURS = ("ISTIO_META_HTTP_PROXY_PORT", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS")


def _proxy_metadata(pod: Resource) -> dict[str, str]:
    return yaml.safe_load(pod["metadata"]["annotations"]["proxy.istio.io/config"])["proxyMetadata"]


@pytest.mark.parametrize("name", [*pods.NAMES, *pods.REAL_NAMES])
def test_everything_else_is_as_istio_alone_makes_it(name: str, injector: Injector) -> None:
    without, having = injector.answers(name)
    if having.refused:
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
    if having.refused or not any(AGENT in pods.names(having.pod, place) for place in pods.LISTS):
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
    _, having = injector.answers(name)
    if having.refused:
        return
    assert injector.again(name).pod == having.pod


def test_an_api_server_takes_every_pod_with_an_agent(injector: Injector) -> None:
    found = [
        having.pod
        for name in [*with_agent(injector.form), *pods.REAL_NAMES]
        for having in [injector.answers(name)[1]]
        if having.pod and any(AGENT in pods.names(having.pod, place) for place in pods.LISTS)
    ]
    assert len(found) > 20
    said = judge(yaml.safe_dump_all(found))
    assert said.ok, said.out


def test_the_differences_are_still_there(injector: Injector) -> None:
    """Each entry in DIFFERENCES is a vector that has another outcome elsewhere."""
    unchanged = pods.load("unchanged.yaml")[injector.form]
    assert set(DIFFERENCES) <= set(unchanged)
