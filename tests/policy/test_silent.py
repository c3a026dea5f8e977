"""A pod that is right gets no warning: samples, vectors and scenarios, also injected, and as the other policy makes them.

A pod that is there to be wrong is named here, with the rule.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from chart.programs import HERE, Resource, kustomize
from harness.paths import ROOT
from inject import pods
from inject.releases import Release
from policy.conftest import FORMS
from policy.scenario_pods import scenario_pods
from policy.server import Server
from policy.test_injection import MESHES, WITH_A_NATIVE_PROXY
from policy.warned import as_kind, ids

SAMPLES = ROOT / "deploy" / "samples"
# Whose template is read; the others are of engines, whose pods are tested by their scenarios.
READ = ("Pod", "Job", "CronJob")
# A label that no user means.
WRONG_VECTORS = {"invalid-label": ["label-value"]}
# These are only about what a way that adds the agent does: one asks for it, and one has a container of that name.
WRONG_JOBS = {"asks-for-it": ["label-without-agent"], "has-agent": ["regular-agent-not-shared"]}
# The API server refuses a pod without an image, and a vector is one.
NO_POD = ("job-template",)
# The scenarios that are about a mistake, by the beginning of their names.
WRONG_SCENARIOS = {
    # They select plugins of their own by values of the label that nobody else has.
    **dict.fromkeys(("limits-plugin", "limits-both", "registry-silent-", "broken-plugin"), "label-value"),
    # Something in the pod ends or halts the agent.
    **dict.fromkeys(("short-frozen-", "stray", "killed-", "own-policy-", "trust-done-", "waiting-"), "agent-user-taken"),
    **dict.fromkeys(("mistakes-native-bare", "mistakes-regular-bare"), "grace-period-differs"),
    **dict.fromkeys(("mistakes-native-policy", "mistakes-regular-policy"), "restart-policy-differs"),
    **dict.fromkeys(("mistakes-native-port", "mistakes-regular-port"), "signal-port-differs"),
    **dict.fromkeys(("mistakes-native-container", "mistakes-regular-container", "wrong-name-"), "wrong-container-name"),
    "stripped-": "agent-stripped",
    "no-plugin": "unlabelled",
    "host-network": "host-network",
    "unshared-native": "no-shared-processes",
    "unshared-regular": "no-shared-processes",
}


def fired(server: Server, made: dict[str, Resource]) -> dict[str, list[str]]:
    """The objects that are warned of, each with the rules, in a cluster where nothing adds the agent."""
    created = server.create(server.warning(), list(made.values()), {"default": {}})
    return {name: rules for name, one in zip(made, created, strict=True) if (rules := ids(one))}


def samples() -> Iterator[tuple[str, Resource]]:
    """Each Job, CronJob and pod of the samples."""
    for path in sorted(SAMPLES.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] in READ:
                document["metadata"].setdefault("name", path.stem)
                yield path.stem, document


def test_the_samples_are_right(server: Server) -> None:
    made = dict(samples())
    assert len(made) > 5
    assert fired(server, made) == {}


@pytest.mark.parametrize("folder", [HERE / "overlay"], ids=lambda path: path.name)
def test_what_kustomize_builds_is_right(folder: Path, server: Server) -> None:
    made = {one["metadata"]["name"]: one for one in kustomize(folder).documents if one["kind"] in READ}
    assert made
    assert fired(server, made) == {}


def test_the_vectors_are_right(server: Server) -> None:
    """As their authors wrote them, and with the agent of each form; as pods, and in Jobs and CronJobs."""
    made = {}
    for name in pods.NAMES:
        for form in (None, *pods.SUFFIXES):
            pod = pods.load(f"{name}.in.yaml") if form is None else pods.expected(name, form)
            if pod and not (form is None and name in NO_POD):
                made |= {f"{name} {form} {kind}": as_kind(kind, pod) for kind in READ if kind == "Pod" or _ends(pod)}
    assert len(made) > 400
    wrong = {f"{name} None {kind}": rules for name, rules in WRONG_VECTORS.items() for kind in READ}
    wrong |= {f"{name} None {kind}": rules for name, rules in WRONG_JOBS.items() for kind in ("Job", "CronJob")}
    assert fired(server, made) == wrong


def _ends(pod: Resource) -> bool:
    """Whether it can be the pod of a Job."""
    return pod["spec"].get("restartPolicy") in ("Never", "OnFailure")


def test_the_scenarios_are_right_but_those_of_mistakes(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    made = scenario_pods(monkeypatch)
    assert len(made) > 250
    wrong = {name: [rule] for name in made for begin, rule in WRONG_SCENARIOS.items() if name.startswith(begin)}
    assert fired(server, made) == wrong
    unused = [begin for begin in WRONG_SCENARIOS if not any(name.startswith(begin) for name in wrong)]
    assert unused == []


def test_what_the_other_policy_makes_is_right(server: Server, form: str) -> None:
    policies = [*server.policies(**FORMS[form]), *server.warning(inject="policy", warn={"enabled": True, "audit": True})]
    created = server.create(policies, [*map(pods.vector, pods.NAMES), *map(pods.real, pods.REAL_NAMES)])
    names = (*pods.NAMES, *pods.REAL_NAMES)
    warned = {name: ids(one) for name, one in zip(names, created, strict=True) if one.pod and ids(one)}
    assert warned == WRONG_VECTORS


def test_what_istio_injects_is_right(server: Server, form: str, release: Release) -> None:
    """With the agent by the policy or by its author, before Istio's injector."""
    asked = [pod for name in pods.NAMES if name not in WITH_A_NATIVE_PROXY and (pod := pods.expected(name, form))]
    injected = [one.pod for one in release.inject(None, MESHES[form], asked)]
    made = {str(number): as_kind("Pod", pod) for number, pod in enumerate(injected) if pod}
    assert len(made) > 30
    assert fired(server, made) == {}
