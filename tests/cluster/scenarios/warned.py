"""What the API server says when somebody applies a mistake: deploy/policy/warn.yaml. Nothing is created but the policy."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import pods, preflight
from ..errors import Skip
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT, MAIN, Shape, Task, Where, three_lines
from .common import PLACEMENTS

Json = dict[str, Any]

_FILE = Path(__file__).resolve().parents[3] / "deploy" / "policy" / "warn.yaml"
_POLICY, _BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
_GROUP = "admissionregistration.k8s.io"
_RULE = re.compile(r"\[exeunt ([a-z-]+)] ")
# The API server reads a new policy within a second or two.
_READ_S = 30.0

_RIGHT: tuple[Shape, ...] = (
    three_lines(),
    *(Shape(istio=istio, agent=agent) for istio in ("classic", "hold") for agent in PLACEMENTS),
    Shape(istio="native", agent="regular"),
    Shape(agent="none", drain="", listener=False),
)
_MADE: tuple[Callable[[str, Shape, Where], Json], ...] = (pods.job, pods.pod)
# For each rule a shape that it is about.
_WRONG: tuple[tuple[str, Shape], ...] = (
    ("agent-stripped", three_lines(stripped=True)),
    ("no-shared-processes", Shape(sharing=False)),
    ("regular-agent-not-shared", Shape(istio="native", agent="regular", sharing=False)),
    ("host-network", Shape(agent="regular", host_network=True)),
    ("wrong-container-name", Shape(agent_words=("--container", "nobody"))),
    ("restart-policy-differs", Shape(agent_words=("--restart-policy", "OnFailure"))),
    ("grace-period-differs", three_lines(agent_words=("--grace-period", "2m"))),
    ("placement-differs", Shape(agent="regular", agent_words=("--placement", "native"))),
    ("proxy-form-differs", Shape(agent_words=("--proxy", "native"))),
    ("signal-port-differs", Shape(agent_words=("--signal-port", "16000"))),
    ("agent-user-taken", Shape(tasks=(Task(("wait",), uid=15190),))),
    ("status-port-zero", Shape(annotations=(("status.sidecar.istio.io/port", "0"),))),
    ("label-value", three_lines(drain="true")),
    ("label-without-agent", Shape(agent="none", listener=False)),
    ("unlabelled", Shape(drain="")),
    ("unknown-name", Shape(annotations=(("exeunt.dev/containers", MAIN),))),
    ("annotation-value", Shape(annotations=(("exeunt.dev/quit-signals", "TERM"),))),
)


def _applied(run: ScenarioRun) -> None:
    kube, where = run.site.kube, run.site.where
    policies = _policies(run)
    try:
        for body in policies:
            kube.create("", body)
        wrong = pods.job(run.name, three_lines(stripped=True), where)
        run.wait_until("the API server to read the policy", lambda: bool(_ids(run, wrong)), _READ_S)
        for make in _MADE:
            for rule, shape in _WRONG:
                if shape.host_network and make is pods.pod:
                    continue  # A cluster may refuse such a pod. It takes the Job.
                found = _ids(run, make(run.name, shape, where))
                run.check(found == [rule], f"{make.__name__}: the API server warns of {found}, not of {rule}")
            for shape in _RIGHT:
                found = _ids(run, make(run.name, shape, where))
                run.check(found == [], f"{make.__name__}: the API server warns of {found} in a pod that is right: {shape}")
        injected = kube.create(run.namespace, pods.pod(run.name, three_lines(), where), dry_run=True)
        found = _ids(run, pods.behind_agent(injected))
        run.check(found == ["agent-before-proxy"], f"a pod with {AGENT} in front of its proxy: the API server warns of {found}")
    finally:
        for body in reversed(policies):
            kube.delete(body["kind"], "", body["metadata"]["name"])
    run.note(f"{len(_WRONG)} mistakes and {len(_RIGHT)} right pods, each in a Job and bare")


def _policies(run: ScenarioRun) -> list[Json]:
    """The policy and its binding, for the run's namespace alone."""
    # The Kubernetes client brings this package. Without a cluster the program works without both.
    import yaml

    kube, namespace = run.site.kube, run.site.namespace
    if not preflight.serves(kube, f"{_GROUP}/v1", "validatingadmissionpolicies"):
        raise Skip("this Kubernetes is older than 1.30: no ValidatingAdmissionPolicy")
    for resource in ("validatingadmissionpolicies", "validatingadmissionpolicybindings"):
        for verb in ("create", "delete"):
            if missing := preflight.refusal(kube, namespace, verb, _GROUP, resource):
                raise Skip(missing[0])
    bodies = list(yaml.safe_load_all(_FILE.read_text()))
    for body in bodies:
        body["metadata"]["name"] += f"-{namespace}"
        if body["kind"] == _BINDING:
            body["spec"]["policyName"] += f"-{namespace}"
            only = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
            body["spec"]["matchResources"] = {"namespaceSelector": only}
    return sorted(bodies, key=lambda body: body["kind"] != _POLICY)


def _ids(run: ScenarioRun, body: Json) -> list[str]:
    """The rules that the API server names for an object of the run's namespace."""
    return [found[1] for one in run.site.kube.warnings(run.namespace, body) if (found := _RULE.search(one))]


SCENARIOS = (
    Scenario(
        "warn-applied",
        "who applies a mistake is warned of it by the API server, and who applies a pod that is right is not",
        _applied,
    ),
)
