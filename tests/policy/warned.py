"""What the policy that warns says of an object, and pods as whole objects for it."""

import copy
import re

import yaml

from chart.programs import CHART, Resource
from inject.pods import AGENT, load
from policy.server import Created

# What the API server writes in front of each message.
_FRONT = "Validation failed for ValidatingAdmissionPolicy 'exeunt.dev' with binding 'exeunt.dev': "
_RULE = re.compile(r"\[exeunt ([a-z-]+)] ")
KINDS = ("Pod", "Job", "CronJob")


def said(created: Created) -> list[str]:
    """The messages of the policy. The API server warns of other things, too. The object must be created."""
    assert created.stored
    return [one.removeprefix(_FRONT) for one in created.warnings if one.startswith(_FRONT)]


def ids(created: Created) -> list[str]:
    """The rules that have fired. Each message begins with one."""
    return [found.group(1) if (found := _RULE.match(one)) else one for one in said(created)]


def rules() -> list[str]:
    """The ids of all rules, as the chart has them."""
    text = (CHART / "templates" / "_warn_rules.tpl").read_text()
    return re.findall(r"(?m)^- id: (.+)$", text)


def template_of(pod: Resource) -> Resource:
    """The pod as a template."""
    metadata = {key: value for key, value in pod["metadata"].items() if key in ("labels", "annotations")}
    return copy.deepcopy({"metadata": metadata, "spec": pod["spec"]})


def as_kind(kind: str, pod: Resource) -> Resource:
    """The pod, or a Job or CronJob that has it as its template."""
    template = template_of(pod)
    metadata = {"name": "try", "namespace": "default"}
    if kind == "Pod":
        return {"apiVersion": "v1", "kind": kind, "metadata": metadata | template["metadata"], "spec": template["spec"]}
    job: Resource = {"template": template}
    spec = job if kind == "Job" else {"schedule": "0 0 * * *", "jobTemplate": {"spec": job}}
    return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}


def injected(pod: Resource, form: str) -> Resource:
    """The pod with a proxy in the place where Istio's injector puts it."""
    pod = copy.deepcopy(pod)
    proxy = {"name": "istio-proxy", "image": "proxy", "args": ["proxy", "sidecar"], "securityContext": {"runAsUser": 1337}}
    if form == "native":
        pod["spec"].setdefault("initContainers", []).insert(0, proxy | {"restartPolicy": "Always"})
    else:
        pod["spec"]["containers"].insert(0, proxy)
    return pod


def right(form: str) -> Resource:
    """A pod with the agent of this form of the vectors, which is right. Istio's injector has not seen it yet."""
    suffix = "" if form == "native" else f".{form}"
    pod: Resource = load(f"kpo-plain{suffix}.out.yaml")
    pod["metadata"].setdefault("annotations", {})["sidecar.istio.io/nativeSidecar"] = "true" if form == "native" else "false"
    return pod


def agent(pod: Resource) -> Resource:
    """The container of the agent."""
    places = (pod["spec"].get("initContainers") or [], pod["spec"]["containers"])
    (found,) = [one for place in places for one in place if one["name"] == AGENT]
    assert isinstance(found, dict)
    return found


def sentences() -> dict[str, tuple[str, str]]:
    """The sentence and the remedy of each rule."""
    text = (CHART / "templates" / "_warn_rules.tpl").read_text()
    folded = r"  {}: (>-\n(?:    .*\n)+)"
    rule = r"(?m)^- id: (.+)\n(?:.*\n)+?" + folded.format("sentence") + folded.format("remedy")
    return {name: (yaml.safe_load(one), yaml.safe_load(two)) for name, one, two in re.findall(rule, text)}


def message(rule: str, evidence: str) -> str:
    """What the API server must say of an object with this evidence."""
    sentence, remedy = sentences()[rule]
    return f"[exeunt {rule}] {sentence.removesuffix('.')} ({evidence}). {remedy}"
