"""Kyverno makes the same pod as Istio's injection template. What differs is listed here, with its reason."""

import copy
import json

import pytest
import yaml

from chart.programs import Resource, judge
from inject import pods
from inject.pods import AGENT, PROXY
from inject.test_vectors import KNOWS_RULES, MAY_HAVE_RULES, WITH_A_NATIVE_PROXY, container
from kyverno.conftest import Both


def comparable(pod: Resource) -> Resource:
    """The pod without what may differ: the order of volumes and of the proxy's variables, and Istio's list of what it added."""
    pod = copy.deepcopy(pod)
    spec, annotations = pod["spec"], pod["metadata"].get("annotations", {})
    status = json.loads(annotations.pop("sidecar.istio.io/status", "{}"))
    for place in (*pods.LISTS, "volumes"):
        status[place] = sorted(one for one in status.get(place) or [] if one != AGENT)
    spec["volumes"] = sorted(spec.get("volumes") or [], key=lambda one: str(one["name"]))
    for place in pods.LISTS:
        spec[place] = [container(one) if one["name"] == AGENT else one for one in spec.get(place) or []]
    proxy = [one for place in pods.LISTS for one in spec[place] if one["name"] == PROXY]
    for one in proxy:
        one["env"] = sorted(one["env"], key=lambda variable: str(variable["name"]))
    return pod | {"status-of-istio": status}


# What the injector of an older Istio does not tell the template: the vectors, and the first release that tells it. Kyverno
# sees the whole pod.
SEEN_SINCE = dict.fromkeys(MAY_HAVE_RULES, KNOWS_RULES) | {"pod-level-resources": (1, 25)}


def sees_more(name: str, both: Both) -> bool:
    """Whether Kyverno knows something of a pod that this Istio does not tell its template."""
    return both.release.version < SEEN_SINCE.get(name, (0,))


def refused_as_it_is(name: str, both: Both) -> bool:
    """Whether an API server refuses the pod that Istio alone makes: with two proxies, or without an image."""
    return name == "job-template" or (name in WITH_A_NATIVE_PROXY and both.form != "native")


@pytest.mark.parametrize("name", pods.ALL)
def test_kyverno_makes_the_pod_of_the_template(name: str, both: Both) -> None:
    alone, having, admitted = both.answers(name)
    if admitted is None:
        assert having.refused
        return
    assert admitted.errors == []
    assert alone.pod is not None
    if having.pod is None or sees_more(name, both) or refused_as_it_is(name, both):
        return
    assert comparable(admitted.object) == comparable(having.pod)


@pytest.mark.parametrize("name", SEEN_SINCE)
def test_kyverno_sees_the_whole_pod_with_every_istio(name: str, both: Both) -> None:
    _, _, admitted = both.answers(name)
    expected = pods.expected(name, both.form)
    assert admitted is not None
    assert expected is not None
    place, agent = pods.agent_of(admitted.object)
    wanted_place, wanted = pods.agent_of(expected)
    assert (place, container(agent)) == (wanted_place, container(wanted))


def test_most_pods_get_an_agent(both: Both) -> None:
    """So that the comparison does not compare nothing."""
    found = [name for name in pods.ALL if (admitted := both.answers(name)[2]) and AGENT in names(admitted.object)]
    assert len(found) > 40


def names(pod: Resource) -> list[str]:
    """The names of all containers."""
    return [one for place in pods.LISTS for one in pods.names(pod, place)]


def test_an_api_server_takes_every_pod_with_an_agent(both: Both) -> None:
    found = []
    for name in pods.ALL:
        _, _, admitted = both.answers(name)
        if admitted is None or AGENT not in names(admitted.object) or refused_as_it_is(name, both):
            continue
        pod = admitted.object
        # What the API server adds before it looks at a pod: its name, and the account.
        metadata = {key: value for key, value in pod["metadata"].items() if key != "generateName"} | {"name": name}
        found.append(pod | {"metadata": metadata, "spec": {"serviceAccountName": "default"} | pod["spec"]})
    assert len(found) > 40
    # The name of the release is a placeholder in the worker that Airflow's chart makes.
    said = judge(yaml.safe_dump_all(found).replace("RELEASE-NAME", "release"))
    assert said.ok, said.out
