"""Kyverno's engines, with the policies that the chart writes. build/tiers/kyverno.sh builds the program."""

import copy
import json
import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chart.programs import CHART, Resource, helm, run
from harness.paths import ROOT, Missing

HERE = ROOT / "tests" / "kyverno"
IMAGE = "registry.example/exeunt-agent:test"
# Where the chart is installed, and the namespaces of the cluster with their labels.
HOME = "istio-system"
ON = {"exeunt.dev/drain": "on"}
NAMESPACES = {
    HOME: {},
    "kube-system": {},
    "airflow": ON,
    "labelled": ON,
    "off": {"exeunt.dev/drain": "off", "istio-injection": "enabled"},
    "injected": {"istio-injection": "enabled"},
    "revision": {"istio.io/rev": "stable"},
    "plain": {},
}


@dataclass(frozen=True)
class Answer:
    """What has become of a request: the object, what Kyverno makes because of it, and what went wrong."""

    object: Resource
    generated: list[Resource]
    errors: list[str]


@dataclass
class Kyverno:
    """Kyverno with some policies, in a cluster with these objects."""

    policies: list[Resource]
    existing: list[Resource] = field(default_factory=list)

    def create(self, *objects: Resource) -> list[Answer]:
        """What becomes of objects that somebody creates."""
        return self.ask([{"operation": "CREATE", "object": one} for one in objects])

    def ask(self, requests: list[dict[str, Any]]) -> list[Answer]:
        """What becomes of these requests."""
        asked = {
            "policies": [one for one in self.policies if one["apiVersion"].startswith("policies.kyverno.io/")],
            "namespaces": [namespace(name) for name in NAMESPACES],
            "existing": self.existing,
            "requests": requests,
        }
        said = run(program(), text=json.dumps(asked))
        assert said.ok, said.err
        return [Answer(one["object"], one["generated"] or [], one["errors"] or []) for one in json.loads(said.out)]


def program() -> Path:
    """The program. EXEUNT_KYVERNO names another."""
    found = Path(os.environ.get("EXEUNT_KYVERNO") or ROOT / ".cache" / "tools" / "kyverno" / "judge")
    if not found.is_file():
        raise Missing(f"{found} does not exist: run ./build.sh test kyverno, which needs Go")
    return found


def namespace(name: str) -> Resource:
    """One of the namespaces."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": NAMESPACES[name]}}


def policies(**values: Any) -> list[Resource]:
    """What the chart writes for Kyverno with these values, beside the image of the vectors."""
    return copy.deepcopy(_policies(json.dumps(values, sort_keys=True)))


@cache
def _policies(values: str) -> list[Resource]:
    repository, _, tag = IMAGE.rpartition(":")
    always = {
        "inject": "kyverno",
        "agent": {"image": {"repository": repository, "tag": tag, "pullPolicy": ""}},
        # The module's ConfigMap needs the built module, and Kyverno copies whatever is there.
        "plugin": {"configMap": {"create": False}},
    }
    text = yaml.safe_dump(merged(always, json.loads(values)))
    said = helm("template", "exeunt", CHART, "--namespace", HOME, "--values", "-", text=text)
    return [one for one in said.documents if one["metadata"]["name"].startswith("exeunt.dev")]


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both values; the other's where both have one."""
    both = one | other
    for key in one.keys() & other.keys():
        if isinstance(one[key], dict) and isinstance(other[key], dict):
            both[key] = merged(one[key], other[key])
    return both


def named(found: list[Resource], name: str) -> Resource:
    """The policy of that name."""
    (policy,) = [one for one in found if one["metadata"]["name"] == name and one["kind"].endswith("Policy")]
    return policy


@cache
def definitions() -> Path:
    """The custom resource definitions of the Kyverno that judges, from the Go module that the program is built with."""
    module = json.loads(run("go", "list", "-C", HERE / "judge", "-m", "-json", "github.com/kyverno/api").out)
    fetched = json.loads(run("go", "mod", "download", "-C", HERE / "judge", "-json", f"{module['Path']}@{module['Version']}").out)
    return Path(fetched["Dir"]) / "config" / "crds.yaml"
