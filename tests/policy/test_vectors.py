"""The policy makes of a pod what the vectors describe, and changes nothing else.

The vectors are those of the Airflow hook and of the injection template, so all of them give a pod the same agent. What differs is
listed here, with its reason.
"""

import copy

import pytest
import yaml

from chart.programs import Resource
from inject import pods
from inject.pods import AGENT, LABEL, SKIPPED
from policy.conftest import Cluster

# What the vectors call not applicable or in need of attention, and becomes something else here.
DIFFERENCES = {
    # The API server refuses a pod without an image.
    "job-template": "refused",
    # Istio refuses a pod whose configuration it cannot read, with an agent or without.
    "config-not-yaml": "agent",
    "config-not-a-mapping": "agent",
    "metadata-not-a-mapping": "agent",
}

# The Airflow hook names the workload by the task's ids. Nobody else knows that a pod is Airflow's.
NAME = "app.kubernetes.io/name"
CONFIG, NATIVE = "proxy.istio.io/config", "sidecar.istio.io/nativeSidecar"
DEFAULT = "kubectl.kubernetes.io/default-container"


def outcome(name: str, cluster: Cluster) -> str:
    """What has become of a pod: refused, agent, skipped (with a reason), or untouched."""
    without, having, _ = cluster.created(name)
    assert not having.panic
    if having.refused:
        assert without.refused
        return "refused"
    if SKIPPED in having.stored["metadata"].get("annotations", {}):
        return "skipped"
    return "untouched" if having.pod == without.pod else "agent"


def wanted(name: str, form: str) -> str:
    """What must become of a vector."""
    return DIFFERENCES.get(name) or pods.outcome(name, form)


@pytest.mark.parametrize("name", pods.NAMES)
def test_a_vector_has_the_outcome_that_it_has_everywhere(name: str, cluster: Cluster) -> None:
    assert outcome(name, cluster) == wanted(name, cluster.form)


@pytest.mark.parametrize("name", pods.NAMES)
def test_a_vector_becomes_the_pod_that_it_becomes_everywhere(name: str, cluster: Cluster) -> None:
    expected = cluster.expected(name)
    if expected is None:
        return
    without, having, _ = cluster.created(name)
    before = without.stored["metadata"].get("labels", {})
    if NAME not in before:
        expected["metadata"]["labels"].pop(NAME, None)
    assert read(having.stored) == read(expected)


def read(pod: Resource) -> Resource:
    """The pod with the YAML and the JSON in it read: both may be written in several ways."""
    pod = copy.deepcopy(pod)
    annotations = pod["metadata"].get("annotations", {})
    if CONFIG in annotations:
        annotations[CONFIG] = yaml.load(annotations[CONFIG], Loader=yaml.BaseLoader)  # noqa: S506
    _, agent = pods.agent_of(pod)
    agent["args"] = [pods.argument(word) for word in agent["args"]]
    return pod


@pytest.mark.parametrize("name", pods.REAL_NAMES)
def test_everything_else_of_a_real_pod_is_as_without_the_policy(name: str, cluster: Cluster) -> None:
    without, having, _ = cluster.created(name)
    assert rest(having.stored) == rest(without.stored)


def rest(pod: Resource) -> Resource:
    """The pod without what the policy may add."""
    pod = copy.deepcopy(pod)
    metadata, spec = pod["metadata"], pod["spec"]
    metadata["labels"] = {key: value for key, value in metadata.get("labels", {}).items() if key != LABEL}
    ours = (SKIPPED, CONFIG, NATIVE, DEFAULT)
    metadata["annotations"] = {key: value for key, value in metadata.get("annotations", {}).items() if key not in ours}
    spec.pop("shareProcessNamespace", None)
    for place in (*pods.LISTS, "volumes"):
        spec[place] = [one for one in spec.get(place) or [] if one["name"] != AGENT]
    return pod


@pytest.mark.parametrize("name", [*pods.NAMES, *pods.REAL_NAMES])
def test_a_pod_that_has_been_changed_does_not_change_again(name: str, cluster: Cluster) -> None:
    _, having, again = cluster.created(name)
    assert again == having


def test_the_differences_are_still_there(cluster: Cluster) -> None:
    """Each entry in DIFFERENCES is a vector that has another outcome elsewhere."""
    assert set(DIFFERENCES) <= set(pods.load("unchanged.yaml")[cluster.form])
