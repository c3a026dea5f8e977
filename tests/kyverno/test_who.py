"""Which pods and Jobs Kyverno changes, and that it changes nothing else."""

import copy
from typing import Any

import pytest

from chart.programs import Resource
from inject import pods
from inject.pods import AGENT, LABEL, SKIPPED
from kyverno.engine import NAMESPACES, Kyverno, named, policies

NATIVE = "sidecar.istio.io/nativeSidecar"


def pod(namespace: str = "airflow", **spec: Any) -> Resource:
    """The pod of a Job as Istio has injected it, with a classic proxy."""
    found = pods.of_job(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "report", "namespace": namespace},
            "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "task"}]} | spec,
        }
    )
    found["spec"]["containers"].append({"name": "istio-proxy", "image": "proxyv2", "env": [], "volumeMounts": []})
    found["spec"]["volumes"] = [{"name": "istio-envoy", "emptyDir": {}}]
    return found


def job(namespace: str = "airflow", **metadata: Any) -> Resource:
    """A Job whose pod template has this metadata."""
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "task"}]}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "report", "namespace": namespace},
        "spec": {"template": template | ({"metadata": metadata} if metadata else {})},
    }


def has_agent(found: Resource) -> bool:
    """Whether a pod has an agent."""
    return any(AGENT in pods.names(found, place) for place in pods.LISTS)


def become(one: Resource, **values: Any) -> Resource:
    """What becomes of an object, with these values of the chart."""
    (answer,) = Kyverno(policies(**values)).create(one)
    assert answer.errors == []
    return answer.object


@pytest.mark.parametrize(
    ("namespaces", "expected"),
    [("labelled", {"airflow", "labelled"}), ("injected", set(NAMESPACES) - {"off"})],
)
def test_the_namespace_decides_first(namespaces: str, expected: set[str]) -> None:
    """With `injected` a pod with istio-proxy is enough: only namespaces that Istio injects have such pods."""
    answers = Kyverno(policies(pods={"namespaces": namespaces})).create(*map(pod, NAMESPACES))
    assert {name for name, one in zip(NAMESPACES, answers, strict=True) if has_agent(one.object)} == expected


def labelled(value: str, found: Resource) -> Resource:
    """The pod with exeunt's label."""
    found["metadata"].setdefault("labels", {})[LABEL] = value
    return found


def of_nobody() -> Resource:
    """A pod that somebody has created, and no Job."""
    found = pod()
    del found["metadata"]["ownerReferences"]
    return found


def of_volcano() -> Resource:
    """A pod of a Job that is not Kubernetes' own."""
    found = pod()
    found["metadata"]["ownerReferences"][0]["apiVersion"] = "batch.volcano.sh/v1alpha1"
    return found


WHO = {
    "a Job's pod": (pod, True, False),
    "a Job's pod with off": (lambda: labelled("off", pod()), False, False),
    "a Job's pod with on": (lambda: labelled("on", pod()), True, True),
    "a pod of nobody": (of_nobody, False, False),
    "a pod of nobody with on": (lambda: labelled("on", of_nobody()), True, True),
    "a Job of another kind": (of_volcano, False, False),
}


@pytest.mark.parametrize("who", WHO)
def test_then_the_pods_label_and_its_owner(who: str) -> None:
    make, of_jobs, only_labelled = WHO[who]
    assert has_agent(become(make())) is of_jobs
    assert has_agent(become(make(), pods={"select": "labelled"})) is only_labelled


def without_a_proxy() -> Resource:
    """A pod that Istio has not injected."""
    found = pod()
    found["spec"]["containers"].pop()
    return found


UNTOUCHED = {
    "without a proxy": without_a_proxy,
    "of Windows": lambda: pod(os={"name": "windows"}),
    "with an agent": lambda: become(pod()),
}


@pytest.mark.parametrize("what", UNTOUCHED)
def test_a_pod_stays_as_it_is(what: str) -> None:
    found = UNTOUCHED[what]()
    assert become(copy.deepcopy(found)) == found


def deployment() -> Resource:
    """A Deployment whose pods have a proxy of their own."""
    template = {"metadata": {"labels": {"app": "web", LABEL: "on"}}, "spec": pod()["spec"] | {"restartPolicy": "Always"}}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": "airflow", "labels": {LABEL: "on"}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def test_nothing_but_pods_and_jobs_changes() -> None:
    assert become(deployment()) == deployment()


def test_kyverno_would_change_deployments_if_the_policy_did_not_say_no() -> None:
    """From a policy for pods Kyverno makes others by itself, for all that has a pod template. It rewrites parts of the CEL."""
    found = policies()
    del named(found, "exeunt.dev")["spec"]["autogen"]
    (answer,) = Kyverno(found).create(deployment())
    assert answer.object["metadata"]["annotations"][SKIPPED] == "its restartPolicy is Always, so it never ends"


def test_a_pod_is_changed_only_when_it_is_created() -> None:
    (answer,) = Kyverno(policies()).ask([{"operation": "UPDATE", "object": pod(), "oldObject": pod()}])
    assert answer.object == pod()


JOBS = {
    "without metadata": (lambda: job(), "true", None),
    "with a label": (lambda: job(labels={"app": "report"}), "true", None),
    "with annotations": (lambda: job(annotations={"a": "b"}), "true", None),
    "with off": (lambda: job(labels={LABEL: "off"}), None, None),
    "with on": (lambda: job(labels={LABEL: "on"}), "true", "true"),
    "classic by its own word": (lambda: job(annotations={NATIVE: "false"}), "false", "false"),
}


@pytest.mark.parametrize("which", JOBS)
def test_a_job_asks_for_a_native_proxy(which: str) -> None:
    make, of_jobs, only_labelled = JOBS[which]
    assert form_of(become(make())) == of_jobs
    assert form_of(become(make(), pods={"select": "labelled"})) == only_labelled


def form_of(found: Resource) -> str | None:
    """What a Job's pod template says about the form of the proxy."""
    annotations = found["spec"]["template"].get("metadata", {}).get("annotations", {})
    return annotations.get(NATIVE)


def test_a_job_gets_one_annotation_and_nothing_else() -> None:
    found = job(labels={"app": "report"}, annotations={"a": "b"})
    wanted = copy.deepcopy(found)
    wanted["spec"]["template"]["metadata"]["annotations"][NATIVE] = "true"
    assert become(found) == wanted


def with_container(name: str) -> Resource:
    """A Job with one more container."""
    found = job()
    found["spec"]["template"]["spec"]["containers"].append({"name": name, "image": "other"})
    return found


JOBS_AS_THEY_ARE = {
    "keep": (job, {"pods": {"proxy": "keep"}}),
    "its own proxy": (lambda: with_container("istio-proxy"), {}),
    "its own agent": (lambda: with_container("exeunt"), {}),
    "in another namespace": (lambda: job("plain"), {}),
}


@pytest.mark.parametrize("which", JOBS_AS_THEY_ARE)
def test_a_job_stays_as_it_is(which: str) -> None:
    make, values = JOBS_AS_THEY_ARE[which]
    assert become(make(), **values) == make()


def test_jobs_are_asked_for_only_where_istio_injects_their_pods() -> None:
    answers = Kyverno(policies(pods={"namespaces": "injected"})).create(*map(job, NAMESPACES))
    assert {name for name, one in zip(NAMESPACES, answers, strict=True) if form_of(one.object)} == {"injected", "revision"}
    assert [one.errors for one in answers] == [[]] * len(NAMESPACES)


def test_the_template_of_a_job_that_is_there_cannot_change() -> None:
    (answer,) = Kyverno(policies()).ask([{"operation": "UPDATE", "object": job(), "oldObject": job()}])
    assert answer.object == job()
