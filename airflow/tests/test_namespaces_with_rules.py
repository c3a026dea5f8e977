"""The hook's pods in namespaces with rules, as a real API server judges them (`dryRun=All`): nothing runs.

They need a cluster with Istio, and `EXEUNT_KUBECONFIG`, the file that says how to reach it:

  EXEUNT_KUBECONFIG=FILE ./build.sh test airflow -k namespaces_with_rules

Each rule gets a namespace of its own, which is deleted at the end. docs/namespaces-with-rules.md has the recipes.
"""

import contextlib
import dataclasses
import json
import os
import random
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import config, dynamic
from kubernetes.client import V1Container, V1ObjectMeta, V1Pod, V1PodSpec, V1ResourceRequirements, V1SecurityContext
from kubernetes.client.exceptions import ApiException

import vectors
from documents.recipes import recipes
from exeunt_airflow.container_names import AGENT, PROXY
from exeunt_airflow.settings import Settings, read
from real_airflow.hook_settings import use_settings
from real_airflow.worker_pod import worker_pod
from test_builders import FORMS, built

Json = dict[str, Any]

KUBECONFIG = os.environ.get("EXEUNT_KUBECONFIG", "")
pytestmark = pytest.mark.skipif(
    not KUBECONFIG,
    reason="no API server has judged the pods: EXEUNT_KUBECONFIG must be the kubeconfig of a cluster with Istio",
)

_POLICY = "ValidatingAdmissionPolicy"
# The task keeps every rule here, and so does Istio's part, by the annotations of the page: only the agent can break one.
_ENOUGH = {"cpu": "100m", "memory": "128Mi"}
_ISTIOS_PART = {
    "sidecar.istio.io/proxyCPU": "100m",
    "sidecar.istio.io/proxyCPULimit": "400m",
    "sidecar.istio.io/proxyMemory": "128Mi",
    "sidecar.istio.io/proxyMemoryLimit": "256Mi",
}
# Kubernetes has a rule in force a moment after it has taken it.
_IN_FORCE_S = 30.0
_HARDENED = {
    "run_as_non_root": True,
    "allow_privilege_escalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccomp_profile": {"type": "RuntimeDefault"},
}
# Not admitted, or not valid.
_REFUSED = (403, 422)
_USUAL = {"cpu": "500m", "memory": "512Mi"}


def limit_range(**limits: Json) -> Json:
    """A rule for each container of a namespace."""
    spec = {"limits": [{"type": "Container", **limits}]}
    return {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "containers"}, "spec": spec}


def quota(**hard: str) -> Json:
    """A rule for all pods of a namespace together."""
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "team"}, "spec": {"hard": hard}}


@dataclasses.dataclass(frozen=True)
class Rules:
    """What a namespace has, and what becomes of a pod there."""

    objects: tuple[Json, ...] = ()
    # What the API server says of the pod with the agent's defaults; empty: it takes the pod.
    message: str = ""
    # The settings of the recipe; empty: no recipe is needed, or none can help.
    settings: dict[str, str] = dataclasses.field(default_factory=dict)
    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    # Whether Istio's containers are in the pod.
    injected: bool = True


OPENSHIFT = "the range of users of OpenShift"
FULL = "a quota without room for the agent"
_RESTRICTED = {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}, "injected": False}
RULES = {
    **{f"{one.rule['kind']}: {one.message}": Rules((one.rule,), one.message, one.settings) for one in recipes()},
    "a highest limit": Rules((limit_range(max={"cpu": "500m", "memory": "512Mi"}),)),
    "the least that fits without a change": Rules((limit_range(min={"cpu": "10m", "memory": "16Mi"}),)),
    "a little more than that": Rules(
        (limit_range(min={"cpu": "11m"}),), "minimum cpu usage per Container is 11m", {"cpu_request": "11m"}
    ),
    "a quota and default limits": Rules((quota(**{"limits.cpu": "8"}), limit_range(default=_USUAL))),
    # The task and Istio's proxy together ask for 256Mi.
    FULL: Rules((quota(**{"requests.memory": "260Mi"}),), "exceeded quota: team, requested: requests.memory=272Mi"),
    # Without the plugin Istio CNI its init container breaks the standard, so these pods have no proxy.
    "restricted": Rules(**_RESTRICTED),
    OPENSHIFT: Rules((), "runAsUser must be in the range 1000680000/10000", {"uid": "none"}),
}
OWNERS = ("operator", "executor")


def openshift(namespace: str) -> Iterator[Json]:
    """A policy of the cluster that judges the users of this namespace's containers as OpenShift's does.

    Istio's own containers are left out: on OpenShift Istio gives them users of the range.
    """
    istios = "c.name in ['istio-proxy', 'istio-init']"
    no_user = "!has(c.securityContext) || !has(c.securityContext.runAsUser)"
    ranged = "(c.securityContext.runAsUser >= 1000680000 && c.securityContext.runAsUser < 1000690000)"
    judged = " && ".join(
        f"(!has(object.spec.{field}) || object.spec.{field}.all(c, {istios} || {no_user} || {ranged}))"
        for field in ("containers", "initContainers")
    )
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": namespace}}
    match = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    said = {"expression": judged, "message": RULES[OPENSHIFT].message}
    yield group | {"kind": _POLICY, "spec": {"matchConstraints": {"resourceRules": [pods]}, "validations": [said]}}
    bound = {"policyName": namespace, "matchResources": match, "validationActions": ["Deny"]}
    yield group | {"kind": f"{_POLICY}Binding", "spec": bound}


class Cluster:
    """The API server, and the namespaces with rules that the tests have made there."""

    def __init__(self) -> None:
        self._client = dynamic.DynamicClient(config.new_client_from_config(KUBECONFIG))
        self._begin = "exeunt-rules-" + "".join(random.choices(string.ascii_lowercase, k=5))
        self._namespaces: dict[str, str] = {}
        # Everything that is not in one of them: its kind and its name.
        self._made: list[tuple[Any, str]] = []

    def namespace(self, name: str) -> str:
        """The namespace with these rules, in force."""
        if name not in self._namespaces:
            self._namespaces[name] = made = f"{self._begin}-{len(self._namespaces)}"
            rules = RULES.get(name, Rules())
            labels = rules.labels | ({"istio-injection": "enabled"} if rules.injected else {})
            self._create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": made, "labels": labels}})
            for one in openshift(made) if name == OPENSHIFT else ():
                self._create(one)
            for one in rules.objects:
                self._kind(one).create(body=one, namespace=made)
            self._wait(lambda: self._is_in_force(made, rules))
        return self._namespaces[name]

    def judge(self, namespace: str, pod: Json) -> Json | str:
        """The pod as the API server would store it, or why it refuses it."""
        try:
            stored: Json = self._kind(pod).create(body=pod, namespace=namespace, query_params=[("dryRun", "All")]).to_dict()
        except ApiException as refused:
            if refused.status not in _REFUSED:
                raise
            return str(json.loads(refused.body)["message"])
        return stored

    def close(self) -> None:
        """Deletes everything."""
        for kind, name in self._made:
            with contextlib.suppress(ApiException):
                kind.delete(name=name)

    def _create(self, body: Json) -> None:
        kind, name = self._kind(body), body["metadata"]["name"]
        kind.create(body=body)
        self._made.append((kind, name))

    def _kind(self, body: Json) -> Any:
        return self._client.resources.get(api_version=body["apiVersion"], kind=body["kind"])

    def _wait(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _IN_FORCE_S
        while not holds():
            assert time.monotonic() < deadline, "the rules of a namespace are not in force"
            time.sleep(0.2)

    def _is_in_force(self, namespace: str, rules: Rules) -> bool:
        """The service account is there, a quota has been counted, and the policy refuses what it must."""
        account, quotas = ({"apiVersion": "v1", "kind": kind} for kind in ("ServiceAccount", "ResourceQuota"))
        try:
            self._kind(account).get(name="default", namespace=namespace)
        except ApiException:
            return False
        found = self._kind(quotas).get(namespace=namespace).to_dict()["items"]
        counted = all(one.get("status", {}).get("hard") for one in found)
        return counted and (rules is not RULES[OPENSHIFT] or self._refuses_user(namespace, 4))

    def _refuses_user(self, namespace: str, user: int) -> bool:
        container = {"name": "base", "image": "base:1", "securityContext": {"runAsUser": user}}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "first"}, "spec": {"containers": [container]}}
        return isinstance(self.judge(namespace, pod), str)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The cluster of EXEUNT_KUBECONFIG."""
    made = Cluster()
    try:
        yield made
    finally:
        made.close()


@dataclasses.dataclass(frozen=True)
class Maker:
    """Makes pods with the real hook."""

    folder: Path
    monkeypatch: pytest.MonkeyPatch

    def pod(self, owner: str, form: str, texts: dict[str, str], **spec: Any) -> Json:
        """The pod of KubernetesPodOperator or of KubernetesExecutor, with these settings. `spec`: more of the task's pod."""
        told, mistakes = read(texts)
        assert mistakes == []
        chosen = FORMS[form][0]
        with self.monkeypatch.context() as own:
            use_settings(own, dataclasses.replace(told, proxy=chosen.proxy, placement=chosen.placement, image="agent:1"))
            made = self._operators(spec) if owner == "operator" else self._executors(spec)
        made["metadata"]["annotations"].setdefault("sidecar.istio.io/nativeSidecar", "false")
        del made["metadata"]["namespace"]
        # The path of a typed request says it.
        return made | {"apiVersion": "v1", "kind": "Pod"}

    def _operators(self, spec: Json) -> Json:
        template = V1Pod(metadata=V1ObjectMeta(annotations=_ISTIOS_PART), spec=V1PodSpec(containers=[_task(None)], **spec))
        return built(self.folder, full_pod_spec=template)

    def _executors(self, spec: Json) -> Json:
        override = V1Pod(metadata=V1ObjectMeta(annotations=_ISTIOS_PART), spec=V1PodSpec(containers=[_task("base:1")], **spec))
        return vectors.plain(worker_pod("t", override))


def _task(image: str | None) -> V1Container:
    resources = V1ResourceRequirements(requests=_ENOUGH, limits=_ENOUGH)
    return V1Container(name="base", image=image, resources=resources, security_context=V1SecurityContext(**_HARDENED))


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """Makes pods with the real hook."""
    return Maker(tmp_path, monkeypatch)


def agent_in(pod: Json) -> Json:
    """The agent of a pod."""
    return next(one for one in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]] if one["name"] == AGENT)


def check_taken(judged: Json | str, *, injected: bool = True) -> None:
    """The API server takes the pod, with its agent and Istio's proxy."""
    assert not isinstance(judged, str), judged
    assert agent_in(judged)
    names = [one["name"] for one in [*judged["spec"].get("initContainers", []), *judged["spec"]["containers"]]]
    assert (PROXY in names) is injected, names


def check_refused(judged: Json | str, message: str) -> None:
    """The API server refuses the pod, and says why."""
    assert isinstance(judged, str), f"taken: {agent_in(judged)}"
    assert message in judged
    print(judged)


EVERY = pytest.mark.parametrize(("owner", "form"), [(owner, form) for owner in OWNERS for form in FORMS])


@pytest.mark.parametrize("name", RULES)
@EVERY
def test_a_pod_is_taken_as_it_is_or_with_the_recipe(name: str, owner: str, form: str, cluster: Cluster, maker: Maker) -> None:
    rules, namespace = RULES[name], cluster.namespace(name)
    before = cluster.judge(namespace, maker.pod(owner, form, {}))
    if not rules.message:
        check_taken(before, injected=rules.injected)
        return
    check_refused(before, rules.message)
    if rules.settings:
        check_taken(cluster.judge(namespace, maker.pod(owner, form, rules.settings)))


@EVERY
def test_a_pod_without_the_agent_fits_into_a_quota_that_has_no_room_for_it(
    owner: str, form: str, cluster: Cluster, maker: Maker
) -> None:
    pod = maker.pod(owner, form, {"enabled": "False"})
    judged = cluster.judge(cluster.namespace(FULL), pod)
    assert not isinstance(judged, str), judged


@EVERY
def test_the_restricted_standard_needs_the_profile_of_the_agent(owner: str, form: str, cluster: Cluster, maker: Maker) -> None:
    judged = cluster.judge(cluster.namespace("restricted"), maker.pod(owner, form, {"seccomp": "none"}))
    check_refused(judged, 'seccompProfile (pod or container "exeunt" must set')


@EVERY
def test_a_pod_with_resources_as_a_whole_has_no_room_for_those_of_the_agent(
    owner: str, form: str, cluster: Cluster, maker: Maker
) -> None:
    if "resources" not in V1PodSpec.openapi_types:
        pytest.skip("this Kubernetes client is older than 32: a pod cannot have resources as a whole")
    namespace = cluster.namespace("resources of the pod as a whole")
    # Exactly what the task and Istio's proxy ask for.
    whole = V1ResourceRequirements(requests={"cpu": "200m", "memory": "256Mi"}, limits={"cpu": "500m", "memory": "384Mi"})
    pod = maker.pod(owner, form, {}, resources=whole)
    check_taken(cluster.judge(namespace, pod))
    agent_in(pod)["resources"] = {"requests": {"cpu": Settings.cpu_request, "memory": Settings.memory_request}}
    check_refused(cluster.judge(namespace, pod), "must be greater than or equal to aggregate container requests")
