"""Workflows of Argo, made from the sample."""

import json
from typing import Any

from ..shape import LABEL, Where
from . import samples

Json = dict[str, Any]

SAMPLE = "argo-workflow.yaml"
MAIN = "main"
# How Argo's documentation ends a classic proxy.
KILL_COMMAND = '["pilot-agent", "request", "POST", "quitquitquit"]'
_KILL = "workflows.argoproj.io/kill-cmd-istio-proxy"


def workflow(name: str, templates: list[Json], where: Where) -> Json:
    """The sample with these templates, of which the first is the entry point."""
    body = samples.named(samples.sample(SAMPLE), name)
    spec: Json = body["spec"]
    for one in spec["templateDefaults"]["initContainers"]:
        one["image"] = where.agent_image
    # Each template has the label of its own pod.
    del body["metadata"]["labels"][LABEL]
    own = [{"metadata": {"labels": label(name)}} | template for template in templates]
    spec |= {"entrypoint": own[0]["name"], "templates": own, "volumes": samples.VOLUMES}
    return body


def with_shared_processes(body: Json) -> Json:
    """The workflow whose pods share their processes, as those of other owners may."""
    body["spec"]["podSpecPatch"] = json.dumps({"shareProcessNamespace": True})
    return body


def with_kill_command(body: Json) -> Json:
    """The workflow with the annotation of Argo's documentation."""
    body["spec"]["podMetadata"]["annotations"][_KILL] = KILL_COMMAND
    return body


def without_exeunt(body: Json, *, native: bool, waits: bool = False) -> Json:
    """The workflow as an ordinary one; a classic proxy may wait for its connections."""
    samples.without_exeunt(body["spec"]["podMetadata"], native=native, waits=waits)
    del body["spec"]["templateDefaults"]
    return body


def label(name: str) -> Json:
    """The label of one pod, where a workflow has several."""
    return {LABEL: name}


def step(name: str, words: tuple[str, ...], where: Where) -> Json:
    """A template with one container."""
    return {"name": "step", "container": samples.container(f"{name}-{MAIN}", words, where)}


def container_set(name: str, containers: tuple[str, ...], words: tuple[str, ...], where: Where) -> Json:
    """A template with several containers, one after the other, of which the last one does what `words` say."""
    last = containers[-1]
    made = []
    for before, one in zip((None, *containers), containers, strict=False):
        body = samples.container(f"{name}-{one}", words if one == last else (), where) | {"name": one}
        made.append(body | ({"dependencies": [before]} if before else {}))
    # Unlike other templates, this one gets no volumes of the workflow.
    return {"name": "set", "containerSet": {"containers": made}, "volumes": samples.VOLUMES}


def with_artifact(template: Json, path: str, url: str) -> Json:
    """The template with an output artifact, which Argo's container `wait` uploads as it is."""
    artifact = {"name": "result", "path": path, "archive": {"none": {}}, "http": {"url": url}}
    return template | {"outputs": {"artifacts": [artifact]}}


def graph(name: str, tasks: int, words: tuple[str, ...], where: Where) -> list[Json]:
    """A DAG: a first task, a last one, and the others at the same time between them. Each pod has a label of its own."""
    number = "{{inputs.parameters.number}}"
    one = {
        "name": "one",
        "inputs": {"parameters": [{"name": "number"}]},
        "metadata": {"labels": label(f"{name}-{number}")},
        "container": samples.container(f"{name}-{number}-{MAIN}", words, where),
    }
    names = [f"task-{number}" for number in range(tasks)]
    nodes: list[Json] = []
    for number, task in enumerate(names):
        before = [] if number == 0 else names[1:-1] if number == tasks - 1 else names[:1]
        arguments = {"parameters": [{"name": "number", "value": str(number)}]}
        nodes.append({"name": task, "template": "one", "dependencies": before, "arguments": arguments})
    return [{"name": "graph", "dag": {"tasks": nodes}}, one]


def outputs(name: str, words: tuple[str, ...], path: str, where: Where) -> list[Json]:
    """Two steps: the first writes a parameter to `path`; the second uploads as many bytes as the parameter says."""
    first = step(name, words, where) | {"name": "first"}
    first["metadata"] = {"labels": label(f"{name}-first")}
    first["outputs"] = {"parameters": [{"name": "size", "valueFrom": {"path": path}}]}
    second = step(name, ("--upload", "{{inputs.parameters.size}}", "--rate", "2000000"), where) | {"name": "second"}
    second["inputs"] = {"parameters": [{"name": "size"}]}
    size = "{{steps.first.outputs.parameters.size}}"
    later = {"name": "second", "template": "second", "arguments": {"parameters": [{"name": "size", "value": size}]}}
    return [{"name": "both", "steps": [[{"name": "first", "template": "first"}], [later]]}, first, second]


def phase(body: Json) -> str:
    """`Succeeded`, `Failed` or `Error`; empty while the workflow runs."""
    found = str(body.get("status", {}).get("phase", ""))
    return found if found in ("Succeeded", "Failed", "Error") else ""


def message(body: Json) -> str:
    """Argo's words about the end."""
    return str(body.get("status", {}).get("message", ""))
