"""The recipes of docs/namespaces-with-rules.md: what the API server says without them, and that it says nothing with them.

The judge asks the API server's own admission plugins. Here a component of kustomize adds the agent; Airflow's settings must give
the same requests and limits.
"""

import json
import sys
from collections.abc import Callable
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.programs import HERE, ROOT, Resource, Said, judge, kustomize
from documents.pages import blocks
from documents.recipes import PAGE, Recipe, recipes

sys.path.append(str(ROOT / "airflow" / "src"))

from exeunt_airflow.settings import read

_PLACES = {"Job": ["spec", "template"], "CronJob": ["spec", "jobTemplate", "spec", "template"]}


def the_patch() -> tuple[Resource, Resource]:
    """The one that the page gives for kustomize: what it is for, and what it says."""
    (block,) = [one for one in blocks(PAGE) if one.text.startswith("patches:")]
    (entry,) = yaml.safe_load(block.text)["patches"]
    return entry["target"], yaml.safe_load(entry["patch"])


Build = Callable[..., Said]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """A Job and a CronJob with the native agent, patched."""

    def build(container: Any = None, patches: Any = ()) -> Said:
        here = Path(*[".."] * len(tmp_path.resolve().parts[1:])) / (ROOT / "deploy" / "kustomize").relative_to("/")
        (tmp_path / "jobs.yaml").write_text((HERE / "overlay" / "jobs.yaml").read_text())
        if container is not None:
            patches = [_patch_of(kind, {"name": "exeunt"} | container) for kind in _PLACES]
        written = {"resources": ["jobs.yaml"], "components": [f"{here}/components/agent-native"], "patches": list(patches)}
        (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(written))
        return kustomize(tmp_path)

    return build


def _patch_of(kind: str, container: Any) -> Any:
    body: Any = {"spec": {"initContainers": [container]}}
    for key in reversed(_PLACES[kind]):
        body = {key: body}
    body |= {"apiVersion": "batch/v1", "kind": kind, "metadata": {"name": "any"}}
    return {"target": {"kind": kind, "labelSelector": "exeunt.dev/drain=on"}, "patch": json.dumps(body)}


def pods(built: Said) -> dict[str, Resource]:
    """The pod templates with an agent, by the kind of their owner."""
    found = {}
    for one in built.documents:
        if one["metadata"]["name"] != "not-asked":
            found[one["kind"]] = reduce(getitem, _PLACES[one["kind"]], one)
    assert set(found) == set(_PLACES)
    return found


def agent_of(built: Said, kind: str = "Job") -> Resource:
    """The agent's container in that pod template."""
    found: Resource = pods(built)[kind]["spec"]["initContainers"][0]
    assert found["name"] == "exeunt"
    return found


# The tasks and helpers keep every rule here, so that only the agent can break one.
_ENOUGH = {"cpu": "100m", "memory": "128Mi"}


def ruled(built: Said, *rules: Resource) -> str:
    """The pods with an agent, in a namespace with these rules."""
    found = []
    for kind, pod in pods(built).items():
        for container in [*pod["spec"]["containers"], *pod["spec"]["initContainers"]]:
            if container["name"] != "exeunt":
                container["resources"] = {"requests": _ENOUGH, "limits": _ENOUGH}
        found.append(
            {"apiVersion": "v1", "kind": "Pod", "metadata": pod["metadata"] | {"name": kind.lower()}, "spec": pod["spec"]}
        )
    return yaml.safe_dump_all([*found, *rules])


def test_the_page_has_recipes() -> None:
    assert [one.rule["kind"] for one in recipes()] == ["ResourceQuota", "LimitRange", "LimitRange"]


@pytest.mark.parametrize("recipe", recipes(), ids=lambda one: one.message)
def test_a_pod_is_refused_without_the_recipe_and_taken_with_it(recipe: Recipe, build: Build) -> None:
    refused = judge(ruled(build(), recipe.rule))
    assert (refused.ok, recipe.message in refused.out) == (False, True), refused.out
    taken = judge(ruled(build({"resources": recipe.resources}), recipe.rule))
    assert taken.ok, taken.out


@pytest.mark.parametrize("recipe", recipes(), ids=lambda one: one.message)
def test_the_settings_of_airflow_are_the_same_remedy(recipe: Recipe) -> None:
    settings, mistakes = read(recipe.settings)
    assert mistakes == []
    amounts = {
        "requests": {"cpu": settings.cpu_request, "memory": settings.memory_request},
        "limits": {"cpu": settings.cpu_limit, "memory": settings.memory_limit},
    }
    told = {part: {name: amount for name, amount in of.items() if amount is not None} for part, of in amounts.items()}
    assert told == recipe.resources


def test_the_page_names_the_agents_own_resources(build: Build) -> None:
    told = next(yaml.safe_load(block.text) for block in blocks(PAGE) if block.text.startswith("requests:"))
    assert agent_of(build())["resources"] == told


@pytest.mark.parametrize(
    ("least", "taken"), [({"cpu": "10m", "memory": "16Mi"}, True), ({"cpu": "11m"}, False), ({"memory": "17Mi"}, False)]
)
def test_the_agent_fits_into_a_namespace_with_a_usual_minimum(least: dict[str, str], taken: bool, build: Build) -> None:
    rule = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "usual"}}
    limits = {
        "type": "Container",
        "min": least,
        "max": {"cpu": "4", "memory": "8Gi"},
        "default": {"cpu": "500m", "memory": "512Mi"},
    }
    said = judge(ruled(build(), rule | {"spec": {"limits": [limits]}}))
    assert said.ok is taken, said.out


def test_a_highest_limit_needs_no_change_unless_it_is_very_low(build: Build) -> None:
    def rule(memory: str) -> Resource:
        # The API server makes `max` the default of a rule that has none (k8s.io/kubernetes pkg/apis/core/v1/defaults.go).
        most = {"cpu": "100m", "memory": memory}
        limits = [{"type": "Container", "max": most, "default": most}]
        return {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "usual"}, "spec": {"limits": limits}}

    taken = judge(ruled(build(), rule("128Mi")))
    assert taken.ok, taken.out
    # The other containers do not fit here, with 128Mi.
    of_the_agent = "maximum memory usage per Container is 15Mi, but limit is 16Mi"
    low = {"requests": {"cpu": "10m", "memory": "12Mi"}, "limits": {"memory": "12Mi"}}
    assert of_the_agent in judge(ruled(build(), rule("15Mi"))).out
    assert of_the_agent not in judge(ruled(build({"resources": low}), rule("15Mi"))).out


def test_a_limit_range_with_a_default_is_enough_for_a_quota(build: Build) -> None:
    quota = recipes()[0].rule
    limits = [{"type": "Container", "default": {"cpu": "500m", "memory": "512Mi"}}]
    rule = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "usual"}, "spec": {"limits": limits}}
    said = judge(ruled(build(), quota, rule))
    assert said.ok, said.out


def test_a_quota_that_is_too_small_is_exceeded(build: Build) -> None:
    quota = recipes()[0].rule
    small = quota | {"spec": {"hard": {"requests.memory": "100Mi"}}}
    said = judge(ruled(build(), small))
    assert (said.ok, "exceeded quota: team: [requests.memory]" in said.out) == (False, True), said.out


@pytest.mark.parametrize("kind", _PLACES)
def test_the_patch_adjusts_every_field_and_null_removes_one(kind: str, build: Build, newest: Path) -> None:
    target, patch = the_patch()
    template = patch["spec"]["template"]
    (agent,) = template["spec"]["initContainers"]
    if kind == "CronJob":
        # As the page says.
        patch = patch | {"kind": kind, "spec": {"jobTemplate": {"spec": {"template": template}}}}
    built = build(patches=[{"target": target | {"kind": kind}, "patch": json.dumps(patch)}])
    assert judge(built.out, newest).ok
    assert pods(built)[kind]["metadata"]["labels"] == {"exeunt.dev/drain": "on"} | template["metadata"]["labels"]
    adjusted = agent_of(built, kind)
    for field in set(agent) - {"securityContext"}:
        assert adjusted[field] == agent[field], field
    assert adjusted["securityContext"].items() >= agent["securityContext"].items()
    assert adjusted["securityContext"]["runAsNonRoot"] is True
    none = {"runAsUser": None, "runAsGroup": None}
    removed = agent_of(build({"resources": None, "securityContext": none}), kind)
    assert "resources" not in removed
    assert not removed["securityContext"].keys() & none.keys()
