"""The pods that are injected: the vectors, and pods that other injectors and a real API server have returned."""

import copy
import json
from pathlib import Path
from typing import Any

import yaml

from chart.programs import Resource
from harness.paths import ROOT

VECTORS = ROOT / "airflow" / "tests" / "vectors"
REAL = Path(__file__).resolve().parent / "pods"

NAMES = sorted(path.name.removesuffix(".in.yaml") for path in VECTORS.glob("*.in.yaml"))
REAL_NAMES = sorted(path.stem for path in REAL.glob("*.json"))
ALL = [*NAMES, *REAL_NAMES]
SUFFIXES = {"native": ".out.yaml", "classic": ".classic.out.yaml", "regular": ".regular.out.yaml"}
AGENT, PROXY = "exeunt", "istio-proxy"
LABEL, SKIPPED = "exeunt.dev/drain", "exeunt.dev/skipped"
LISTS = ("initContainers", "containers")


def vector(name: str) -> Resource:
    """The pod of a vector, as the pod of a Job."""
    return of_job(load(f"{name}.in.yaml"))


def any_of(name: str) -> Resource:
    """A vector or a real pod."""
    return vector(name) if name in NAMES else real(name)


def load(file: str) -> Any:
    """A file of the vectors."""
    return yaml.safe_load((VECTORS / file).read_text())


def expected(name: str, form: str) -> Resource | None:
    """The pod of a vector with its agent, or `None` if it gets none in this form."""
    file = f"{name}{SUFFIXES[form]}"
    return load(file) if (VECTORS / file).is_file() else None


def outcome(name: str, form: str) -> str:
    """What becomes of a vector in this form: it gets an agent, it is skipped and told why, or it is untouched."""
    if expected(name, form):
        return "agent"
    return {"not-applicable": "untouched", "needs-attention": "skipped"}[load("unchanged.yaml")[form][name]]


def real(name: str) -> Resource:
    """A pod that was injected before or that ran; of a Job its pod."""
    found = json.loads((REAL / f"{name}.json").read_text())
    if found["kind"] != "Job":
        return of_job(found)
    template = found["spec"]["template"]
    metadata = {"name": found["metadata"]["name"], "namespace": found["metadata"]["namespace"]} | template["metadata"]
    return of_job({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})


def of_job(pod: Resource, owner: str = "batch/v1", kind: str = "Job") -> Resource:
    """The pod as the Job controller creates it."""
    pod = copy.deepcopy(pod)
    metadata = pod["metadata"]
    name = metadata.pop("name", "pod")
    metadata["generateName"] = f"{name}-"
    metadata["ownerReferences"] = [{"apiVersion": owner, "kind": kind, "name": name, "uid": "1", "controller": True}]
    return pod


def plain() -> Resource:
    """An ordinary pod, of nobody."""
    pod: Resource = load("kpo-plain.in.yaml")
    return pod


def job() -> Resource:
    """The pod of a Job."""
    return of_job(plain())


def changed(**spec: Any) -> Resource:
    """A Job's pod with other fields in its spec."""
    pod = job()
    pod["spec"] |= spec
    return pod


def labelled(value: str, pod: Resource) -> Resource:
    """The pod with exeunt's label."""
    pod["metadata"].setdefault("labels", {})[LABEL] = value
    return pod


def agent_of(pod: Resource) -> tuple[str, Resource]:
    """The list in which the agent is, and its container."""
    (found,) = [(place, one) for place in LISTS for one in pod["spec"].get(place) or [] if one["name"] == AGENT]
    return found


def argument(word: str) -> Any:
    """An argument NAME=JSON as its name and its value, because the spaces in it do not count; any other as it is."""
    name, equals, value = word.partition("=[")
    return [name, json.loads(f"[{value}")] if equals else word


def names(pod: Resource, place: str) -> list[str]:
    """The names of the containers in a list."""
    return [one["name"] for one in pod["spec"].get(place) or []]


def proxy_of(pod: Resource) -> Resource:
    """Istio's container."""
    (proxy,) = [one for place in LISTS for one in pod["spec"].get(place) or [] if one["name"] == PROXY]
    return proxy


def variables(proxy: Resource) -> dict[str, Any]:
    """The environment variables of a container, each once."""
    named = {one["name"]: one.get("value", one.get("valueFrom")) for one in proxy.get("env") or []}
    assert len(named) == len(proxy.get("env") or []), "a variable is there twice"
    return named
