"""Task runs of Tekton, made from the samples."""

from typing import Any

from ..shape import AGENT, Where
from . import samples

Json = dict[str, Any]

SAMPLE = "tekton-taskrun.yaml"
CLASSIC = "tekton-taskrun-classic.yaml"
# Tekton's names for the containers of a step, and of a sidecar.
STEP = "step-upload"
SIDECAR = f"sidecar-{AGENT}"


def run(name: str, words: tuple[str, ...], where: Where, *, native: bool = True, results: tuple[str, ...] = ()) -> Json:
    """The sample with this step instead of its own."""
    body = samples.named(samples.sample(SAMPLE if native else CLASSIC), name)
    # The sample for a classic proxy is for an Istio that makes such proxies by itself.
    body["metadata"]["annotations"][samples.FORM] = "true" if native else "false"
    spec: Json = body["spec"]["taskSpec"]
    spec["steps"][0] = {"name": "upload", **samples.container(f"{name}-{STEP}", words, where)}
    for one in (*spec["steps"][1:], *spec.get("sidecars", [])):
        one["image"] = where.agent_image
    spec["volumes"] = samples.VOLUMES
    if results:
        spec["results"] = [{"name": result} for result in results]
    return body


def without_exeunt(body: Json, *, native: bool) -> Json:
    """The run as an ordinary one: its first step alone."""
    samples.without_exeunt(body["metadata"], native=native)
    spec = body["spec"]["taskSpec"]
    spec["steps"] = spec["steps"][:1]
    spec.pop("sidecars", None)
    return body


def phase(body: Json) -> str:
    """`Succeeded` or `Failed`; empty while the task runs."""
    for condition in body.get("status", {}).get("conditions", []):
        if condition["type"] == "Succeeded" and condition["status"] != "Unknown":
            return "Succeeded" if condition["status"] == "True" else "Failed"
    return ""


def message(body: Json) -> str:
    """Tekton's words about the end."""
    return next((str(one.get("message", "")) for one in body.get("status", {}).get("conditions", [])), "")


def result(body: Json, name: str) -> str:
    """A result of the task; empty if there is none."""
    return next((str(one["value"]) for one in body.get("status", {}).get("results", []) if one["name"] == name), "")
