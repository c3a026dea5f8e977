"""The policy before Istio's injector makes the pod that the injection template makes within it."""

import copy
import json
from typing import Any

import pytest

from chart.programs import Resource
from inject import pods
from inject.pods import AGENT, PROXY
from inject.releases import Release
from inject.template import with_options
from inject.test_vectors import KNOWS_POD_RESOURCES, KNOWS_RULES, MAY_HAVE_RULES, WITH_POD_RESOURCES
from policy.conftest import FORMS
from policy.server import Server

# Whether the mesh of the template has native proxies. The policy makes them native by itself, so its mesh has classic ones.
MESHES = {"native": True, "classic": False, "regular": False}
# Pods with a native proxy that no injector has marked: where proxies are classic, Istio alone adds a second one.
WITH_A_NATIVE_PROXY = ("injected-before",)
# The template says it in istio-proxy itself, the policy by annotations, of which Istio makes the same and PROXY_CONFIG.
TOLD = ("proxy.istio.io/config", "sidecar.istio.io/nativeSidecar")
VARIABLES = ("ISTIO_META_HTTP_PROXY_PORT", "EXIT_ON_ZERO_ACTIVE_CONNECTIONS", "PROXY_CONFIG")
# Istio names the regular containers that it finds, and so a regular agent that the policy has added. kubectl reads the annotation
# default-container, which both have.
FOUND = ("kubectl.kubernetes.io/default-logs-container", "ISTIO_META_APP_CONTAINERS")
STATUS = "sidecar.istio.io/status"


def unseen_by_the_template(form: str, release: Release) -> list[str]:
    """The vectors with fields that this Istio does not show to a template. The policy sees all that the API server knows."""
    rules = MAY_HAVE_RULES if form != "native" and release.version < KNOWS_RULES else ()
    resources = WITH_POD_RESOURCES if release.version < KNOWS_POD_RESOURCES else ()
    return [*rules, *resources]


@pytest.fixture(scope="module")
def both(server: Server, form: str, release: Release) -> dict[str, tuple[Resource, Resource]]:
    """For each vector with an agent in this form: the pod by policy and injector, and the pod by the template."""
    unseen = unseen_by_the_template(form, release)
    names = [name for name in pods.NAMES if pods.expected(name, form) and name not in (*WITH_A_NATIVE_PROXY, *unseen)]
    asked = [pods.vector(name) for name in names]
    changed = [one.stored for one in server.create(server.policies(**FORMS[form]), asked)]
    placement = '"regular"' if form == "regular" else '"native"'
    by_policy = release.inject(None, False, changed)
    by_template = release.inject(with_options(placement=placement), MESHES[form], asked)
    stored = [server.create([], [one.pod or {} for one in answers]) for answers in (by_policy, by_template)]
    return {name: (first.stored, second.stored) for name, first, second in zip(names, *stored, strict=True)}


def test_the_pods_are_the_same(both: dict[str, tuple[Resource, Resource]]) -> None:
    assert len(both) > 30
    for name, (by_policy, by_template) in both.items():
        assert common(by_policy) == common(by_template), name


def common(pod: Resource) -> Resource:
    """The pod without what the two say in different ways."""
    pod = copy.deepcopy(pod)
    annotations = pod["metadata"]["annotations"]
    for key in (*TOLD, *FOUND):
        annotations.pop(key, None)
    # It lists what the injector has added, and so the agent only if the template has added it.
    status = json.loads(annotations[STATUS])
    annotations[STATUS] = {
        key: [one for one in value or [] if one != AGENT] for key, value in status.items() if key != "revision"
    }
    # The agent's is the last one by the policy, and the first one by the template.
    pod["spec"]["volumes"].sort(key=_name)
    for place in pods.LISTS:
        for container in pod["spec"].get(place, []):
            container["env"] = sorted(
                (one for one in container.get("env", []) if one["name"] not in (*VARIABLES, *FOUND)), key=_name
            )
            if container["name"] == AGENT:
                container["args"] = [word.replace(" ", "") for word in container["args"]]
    return pod


def _name(variable: dict[str, Any]) -> str:
    return str(variable["name"])


def test_the_proxy_gets_the_same_variables(both: dict[str, tuple[Resource, Resource]]) -> None:
    for name, (by_policy, by_template) in both.items():
        first, second = (
            {key: pods.variables(pods.proxy_of(pod)).get(key) for key in VARIABLES[:2]} for pod in (by_policy, by_template)
        )
        assert first == second, name


def test_a_native_proxy_stands_directly_before_the_agent(both: dict[str, tuple[Resource, Resource]], form: str) -> None:
    for by_policy, _ in both.values():
        names = pods.names(by_policy, "initContainers")
        if form == "native":
            assert names.index(AGENT) == names.index(PROXY) + 1
        else:
            assert PROXY not in names


def test_the_policy_changes_nothing_afterwards(both: dict[str, tuple[Resource, Resource]], server: Server, form: str) -> None:
    injected = [pod for pair in both.values() for pod in pair]
    again = server.create(server.policies(**FORMS[form]), injected)
    assert [one.stored for one in again] == injected
