"""Each mistake is named in one sentence when somebody applies the pod, Job or CronJob that has it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from chart.programs import CHART, ROOT, Resource, template
from inject.pods import LABEL
from policy.server import Created, Server
from policy.warned import KINDS, agent, as_kind, ids, injected, right, rules, said

CONFIG = "proxy.istio.io/config"
# What a case does to a pod that is right.
Change = Callable[[Resource], object]


def told(*words: str) -> Change:
    """The agent has more words."""
    return lambda pod: agent(pod).setdefault("args", ["watch"]).extend(words)


def annotated(name: str, value: str) -> Change:
    """The pod has an annotation."""
    return lambda pod: pod["metadata"]["annotations"].update({name: value})


def labelled(name: str, value: str) -> Change:
    """The pod has a label."""
    return lambda pod: pod["metadata"]["labels"].update({name: value})


def spec(**fields: Any) -> Change:
    """The pod's spec has other fields."""
    return lambda pod: pod["spec"].update(fields)


def variable(name: str, value: str) -> Change:
    """The agent has a variable."""
    return lambda pod: agent(pod).setdefault("env", []).append({"name": name, "value": value})


def without_variables(pod: Resource) -> None:
    """The agent is told nothing by variables."""
    agent(pod)["env"] = []


def without_agent(pod: Resource) -> None:
    """The pod has no agent."""
    for place in ("initContainers", "containers"):
        pod["spec"][place] = [one for one in pod["spec"].get(place, []) if one["name"] != "exeunt"]


def only_labelled(pod: Resource) -> None:
    """The pod has the label, and no agent and no signal listener."""
    without_agent(pod)
    pod["metadata"]["annotations"].pop(CONFIG, None)


def with_helper(pod: Resource) -> None:
    """A helper runs as the user of the agent."""
    pod["spec"]["containers"].append({"name": "cache", "image": "cache", "securityContext": {"runAsUser": 15190}})


def both(*changes: Change) -> Change:
    """One change after the other."""
    return lambda pod: [change(pod) for change in changes]


def without_always(pod: Resource) -> None:
    """Something has removed the agent's own restart policy."""
    del agent(pod)["restartPolicy"]


def without_label(pod: Resource) -> None:
    """The plugin does not select the pod."""
    del pod["metadata"]["labels"][LABEL]


# For each rule: in which kinds, in a pod that is right beside which proxy, what is changed, and the whole message.
CASES: list[tuple[str, tuple[str, ...], str, Change, str]] = [
    (
        "agent-without-always", KINDS, "native", without_always,
        "the init container exeunt runs the agent without restartPolicy: Always, so the task starts only "
        "after it has ended: add restartPolicy: Always to it",
    ),
    (
        "not-shared", KINDS, "classic", spec(shareProcessNamespace=False),
        "the agent cannot see the end of the task, because istio-proxy is a regular container and the pod "
        "does not share its processes: make it an init container with restartPolicy: Always (istio-proxy by "
        "the annotation sidecar.istio.io/nativeSidecar), or add shareProcessNamespace: true",
    ),
    (
        "not-shared", KINDS, "regular", spec(shareProcessNamespace=False),
        "the agent cannot see the end of the task, because the agent is a regular container and the pod does "
        "not share its processes: make it an init container with restartPolicy: Always (istio-proxy by the "
        "annotation sidecar.istio.io/nativeSidecar), or add shareProcessNamespace: true",
    ),
    (
        "host-pid", KINDS, "classic", spec(shareProcessNamespace=False, hostPID=True),
        "hostPID: true is not supported beside a container exeunt that watches processes: use "
        "shareProcessNamespace: true instead",
    ),
    (
        "host-network", ("Job", "CronJob"), "native", spec(hostNetwork=True),
        "hostNetwork: true is not supported, because Istio injects no proxy there: leave out hostNetwork, or "
        "the container exeunt",
    ),
    (
        "restart-always", ("Pod",), "native", spec(restartPolicy="Always"),
        "the restartPolicy of the pod is Always, so its task never ends: use Never or OnFailure, or leave out"
        " the container exeunt",
    ),
    (
        "wrong-container", KINDS, "native", told("--container", "base", "--container=bass"),
        "the pod has no container bass, which --container or exeunt.dev/container names: name one of base",
    ),
    (
        "wrong-container", KINDS, "native", variable("EXEUNT_CONTAINER", "base, bass,alto"),
        "the pod has no container bass, alto, which --container or exeunt.dev/container names: name one of base",
    ),
    (
        "wrong-container", KINDS, "native", annotated("exeunt.dev/container", " bass ,base"),
        "the pod has no container bass, which --container or exeunt.dev/container names: name one of base",
    ),
    (
        "wrong-helper", ("Pod",), "classic", annotated("exeunt.dev/quit-signals", "cash = TERM, base=INT"),
        "the pod has no container cash, which the agent is told to end or to wait for: name one of base",
    ),
    (
        "wrong-helper", ("Pod",), "classic", told("--also-wait", "log", "--quit-endpoint", "proxy=http://localhost:1/quit"),
        "the pod has no container log, proxy, which the agent is told to end or to wait for: name one of base",
    ),
    (
        "restart-policy-differs", KINDS, "classic", spec(restartPolicy="OnFailure"),
        "the agent is told the restart policy Never, and the pod has OnFailure: tell it OnFailure",
    ),
    (
        "restart-policy-differs", KINDS, "native", annotated("exeunt.dev/restart-policy", "OnFailure, base=Never"),
        "the agent is told the restart policy OnFailure, and the pod has Never: tell it Never",
    ),
    (
        "grace-period-differs", KINDS, "native", both(spec(terminationGracePeriodSeconds=60), told("--grace-period", "1m30s")),
        "the agent is told the grace period 1m30s, and the pod has 60 seconds: set "
        "terminationGracePeriodSeconds to the same time",
    ),
    (
        "placement-differs", KINDS, "native", told("--placement", "regular"),
        "the agent is told --placement regular, and its container is in the other list of the pod: leave out --placement",
    ),
    (
        "proxy-differs", KINDS, "classic", told("--proxy", "native"),
        "the agent is told --proxy native, and istio-proxy is classic: leave out --proxy",
    ),
    (
        "signal-port-differs", KINDS, "native", annotated(CONFIG, '{"proxyMetadata": {"ISTIO_META_HTTP_PROXY_PORT": "16000"}}'),
        "the agent signals to port 15190, and ISTIO_META_HTTP_PROXY_PORT is 16000: use the same port for both"
        " and for the plugin",
    ),
    (
        "agent-user-taken", KINDS, "classic", with_helper,
        "the user of the agent is also that of cache, which can end the agent: give the agent a runAsUser of its own",
    ),
    (
        "status-port", KINDS, "classic", annotated("status.sidecar.istio.io/port", "0"),
        "status.sidecar.istio.io/port is 0, and the agent asks pilot-agent at another port: leave out the "
        "annotation, or give the agent the port by --status-port",
    ),
    (
        "interception-off", KINDS, "classic", both(without_variables, annotated("sidecar.istio.io/interceptionMode", "NONE")),
        "by sidecar.istio.io/interceptionMode Istio captures only a part of the traffic, so nothing tells the"
        " agent that istio-proxy is still to come: give it EXEUNT_ISTIO_STATUS from the annotation "
        "sidecar.istio.io/status",
    ),
    (
        "interception-off", KINDS, "classic",
        both(without_variables, annotated("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8")),
        "by traffic.sidecar.istio.io/includeOutboundIPRanges Istio captures only a part of the traffic, so "
        "nothing tells the agent that istio-proxy is still to come: give it EXEUNT_ISTIO_STATUS from the "
        "annotation sidecar.istio.io/status",
    ),
    (
        "label-value", KINDS, "native", labelled(LABEL, "true"),
        'the label exeunt.dev/drain is "true", which nothing selects: write "on" or "off"',
    ),
    (
        "label-without-agent", KINDS, "native", only_labelled,
        "the pod has the label exeunt.dev/drain, but no agent, so nothing ends istio-proxy: add the agent, or"
        " leave out the label",
    ),
    (
        "listener-without-label", KINDS, "native", without_label,
        "the pod has a signal listener for the container exeunt, but not the label by which the plugin "
        'selects it: add exeunt.dev/drain: "on", or leave out ISTIO_META_HTTP_PROXY_PORT',
    ),
    (
        "unknown-name", KINDS, "native", annotated("exeunt.dev/quit-signal", "cache=TERM"),
        "exeunt knows no annotation exeunt.dev/quit-signal: use the label exeunt.dev/drain, or the "
        "annotations exeunt.dev/container, also-wait, quit-endpoints and quit-signals",
    ),
    (
        "unknown-name", KINDS, "native", both(annotated(LABEL, "on"), labelled("exeunt.dev/drian", "on")),
        "exeunt knows no annotation exeunt.dev/drain, label exeunt.dev/drian: use the label exeunt.dev/drain, "
        "or the annotations exeunt.dev/container, also-wait, quit-endpoints and quit-signals",
    ),
    (
        "annotation-value", KINDS, "native",
        both(annotated("exeunt.dev/quit-endpoints", "base=PUT https://a/"), annotated("exeunt.dev/quit-signals", "TERM")),
        'the agent cannot read "base=PUT https://a/, TERM": write an entry of exeunt.dev/quit-endpoints as '
        "[NAME=][METHOD ]http://127.0.0.1:PORT/PATH, and one of exeunt.dev/quit-signals as NAME=SIGNAL",
    ),
]  # fmt: skip
SHOWN = [(kind, *case) for case in CASES for kind in case[1]]


def one(server: Server, made: Resource, **values: Any) -> Created:
    """What becomes of an object in a cluster with the policy that warns."""
    (created,) = server.create(server.warning(**values), [made], {"default": {}})
    return created


def changed(kind: str, form: str, change: Change) -> Resource:
    """The object, as the API server sees it: a pod after Istio's injector, and a Job before it."""
    pod = right(form)
    change(pod)
    return as_kind(kind, injected(pod, form) if kind == "Pod" else pod)


def test_every_mistake_is_named_and_nothing_else(server: Server) -> None:
    made = [changed(kind, form, change) for kind, _, _, form, change, _ in SHOWN]
    created = server.create(server.warning(), made, {"default": {}})
    expected = [[f"[exeunt {rule}] {message}"] for _, rule, _, _, _, message in SHOWN]
    assert [said(one) for one in created] == expected


def test_an_agent_in_front_of_the_proxy_is_seen_in_a_pod(server: Server) -> None:
    """Only a pod has both."""
    pod = injected(right("native"), "native")
    pod["spec"]["initContainers"].reverse()
    assert said(one(server, as_kind("Pod", pod))) == [
        "[exeunt agent-before-proxy] the container exeunt is listed before istio-proxy, so kubelet ends "
        "istio-proxy before the agent can drain it: list it behind istio-proxy"
    ]


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_a_label_on_the_job_itself_is_seen(kind: str, server: Server) -> None:
    pod = right("native")
    only_labelled(pod)
    without_label(pod)
    made = as_kind(kind, pod)
    made["metadata"]["labels"] = {LABEL: "on"}
    assert said(one(server, made)) == [
        f"[exeunt label-on-the-job] the label exeunt.dev/drain is on the {kind}, where nothing reads it: put "
        "it into the labels of its pod template"
    ]


def test_every_rule_has_a_case() -> None:
    assert {case[0] for case in CASES} | {"agent-before-proxy", "label-on-the-job"} == set(rules())


@pytest.mark.parametrize("inject", ["istio", "policy", "kyverno"])
def test_where_something_adds_the_agent_a_job_without_one_is_right(inject: str, server: Server) -> None:
    pod = right("native")
    only_labelled(pod)
    assert ids(one(server, as_kind("Job", pod))) == ["label-without-agent"]
    assert ids(one(server, as_kind("Job", pod), inject=inject)) == []
    # The injector has seen a pod, and has not added the agent.
    assert ids(one(server, as_kind("Pod", injected(pod, "native")), inject=inject)) == ["label-without-agent"]


def test_in_a_namespace_of_the_other_policy_a_job_without_an_agent_is_right(server: Server) -> None:
    pod = right("native")
    only_labelled(pod)
    (created,) = server.create(server.warning(), [as_kind("Job", pod)], {"default": {LABEL: "on"}})
    assert ids(created) == []


def test_the_pods_of_a_job_are_looked_at_for_the_audit_log_only(server: Server) -> None:
    pod = injected(right("native"), "native")
    without_always(pod)
    made = as_kind("Pod", pod)
    made["metadata"]["ownerReferences"] = [{"apiVersion": "batch/v1", "kind": "Job", "name": "a", "uid": "1", "controller": True}]
    assert ids(one(server, made)) == []
    assert ids(one(server, made, warn={"enabled": True, "audit": True})) == ["agent-without-always"]


def test_the_page_has_every_rule() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    table = page.partition("## kubectl prints a warning\n")[2].partition("\n## ")[0]
    assert re.findall(r"(?m)^\| `([a-z-]+)` \|", table) == rules()


def test_the_policy_knows_every_annotation() -> None:
    names = yaml.safe_load((ROOT / "facts.yaml").read_text())["names"]
    text = (CHART / "templates" / "_warn_rules.tpl").read_text()
    known = re.findall(r"'(exeunt\.dev/[a-z-]+)'", text.partition("- id: unknown-name\n")[2].partition("]")[0])
    assert sorted([*known, LABEL]) == sorted(names)


def test_no_mistake_keeps_a_pod(server: Server) -> None:
    actions = [one["spec"]["validationActions"] for one in server.warning() if "validationActions" in one["spec"]]
    assert actions == [["Warn"]]
    actions = [
        one["spec"]["validationActions"]
        for one in server.warning(warn={"enabled": True, "audit": True})
        if "validationActions" in one["spec"]
    ]
    assert actions == [["Warn", "Audit"]]


def test_a_large_pod_is_not_too_much_for_the_policy(server: Server) -> None:
    """An expression that is too expensive would be an error, which is shown instead of a message."""
    pod = right("classic")
    task = pod["spec"]["containers"][0]
    pod["spec"]["containers"] = [task | {"name": f"task-{number}"} for number in range(200)]
    agent(pod)["args"] = [
        "watch",
        *(word for number in range(200) for word in ("--container", f"task-{number}")),
        "--container",
        "base",
    ]
    pod["metadata"]["annotations"]["proxy.istio.io/config"] = f"proxyMetadata:\n  A: {'b' * 100_000}\n"
    created = one(server, as_kind("Job", pod))
    assert ids(created) == ["wrong-container"]


def test_no_control_character_reaches_a_terminal(server: Server) -> None:
    pod = right("classic")
    annotated("exeunt.dev/quit-signals", "\x1b[31mred, two\nlines")(pod)
    annotated("status.sidecar.istio.io/port", "\x1b[2J")(pod)
    told("--container", "base", "--container", "\x1b]0;title\x07")(pod)
    created = one(server, as_kind("Job", pod))
    assert ids(created) == ["wrong-container", "status-port", "annotation-value"]
    assert all(message.isprintable() for message in created.warnings)


def test_an_older_kubernetes_is_told_so() -> None:
    answer = template("--set", "warn.enabled=true", "--kube-version", "1.29.0")
    assert not answer.ok
    assert "warn.enabled needs Kubernetes 1.30 or newer, and this is v1.29.0" in answer.err


def test_without_the_option_nothing_warns() -> None:
    assert "ValidatingAdmissionPolicy" not in template().out
