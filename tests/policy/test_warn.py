"""Each mistake is named in one sentence when somebody applies the pod, Job or CronJob that has it."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from chart.programs import CHART, ROOT, Resource, template
from inject.pods import LABEL
from policy.server import Created, Server
from policy.warned import KINDS, agent, as_kind, ids, injected, message, right, rules, said

CONFIG, NATIVE = "proxy.istio.io/config", "sidecar.istio.io/nativeSidecar"
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


# For each rule: in which kinds, in a pod that is right beside which proxy, what is changed, and the evidence.
CASES: list[tuple[str, tuple[str, ...], str, Change, str]] = [
    ("agent-stripped", KINDS, "native", without_always, "container exeunt"),
    ("no-shared-processes", KINDS, "classic", spec(shareProcessNamespace=False), "container exeunt"),
    ("no-shared-processes", KINDS, "regular", spec(shareProcessNamespace=False), "container exeunt"),
    (
        "regular-agent-not-shared", KINDS, "regular",
        both(spec(shareProcessNamespace=False), annotated(NATIVE, "true")), "container exeunt",
    ),
    ("host-pid", KINDS, "classic", spec(shareProcessNamespace=False, hostPID=True), "container exeunt"),
    ("host-network", ("Job", "CronJob"), "native", spec(hostNetwork=True), "container exeunt"),
    ("restart-always", ("Pod",), "native", spec(restartPolicy="Always"), "container exeunt"),
    ("wrong-container-name", KINDS, "native", told("--container", "base", "--container=bass"), "bass"),
    ("wrong-container-name", KINDS, "native", variable("EXEUNT_CONTAINER", "base, bass,alto"), "bass, alto"),
    ("wrong-container-name", KINDS, "native", annotated("exeunt.dev/container", " bass ,base"), "bass"),
    ("wrong-helper-name", ("Pod",), "classic", annotated("exeunt.dev/quit-signals", "cash = TERM, base=INT"), "cash"),
    (
        "wrong-helper-name", ("Pod",), "classic",
        told("--also-wait", "log", "--quit-endpoint", "proxy=http://localhost:1/quit"), "log, proxy",
    ),
    ("restart-policy-differs", KINDS, "classic", spec(restartPolicy="OnFailure"), "Never, and the pod has OnFailure"),
    (
        "restart-policy-differs", KINDS, "native", annotated("exeunt.dev/restart-policy", "OnFailure, base=Never"),
        "OnFailure, and the pod has Never",
    ),
    (
        "grace-period-differs", KINDS, "native", both(spec(terminationGracePeriodSeconds=60), told("--grace-period", "1m30s")),
        "1m30s, and the pod has 60s",
    ),
    ("placement-differs", KINDS, "native", told("--placement", "regular"), "regular"),
    ("proxy-form-differs", KINDS, "classic", told("--proxy", "native"), "native, and it is classic"),
    (
        "signal-port-differs", KINDS, "native", annotated(CONFIG, '{"proxyMetadata": {"ISTIO_META_HTTP_PROXY_PORT": "16000"}}'),
        "15190, and the listener has 16000",
    ),
    ("agent-user-taken", KINDS, "classic", with_helper, "cache"),
    ("status-port-zero", KINDS, "classic", annotated("status.sidecar.istio.io/port", "0"), "0"),
    ("status-port-differs", KINDS, "classic", annotated("status.sidecar.istio.io/port", "15099"), "15099"),
    (
        "capture-limited", KINDS, "classic", both(without_variables, annotated("sidecar.istio.io/interceptionMode", "NONE")),
        "sidecar.istio.io/interceptionMode",
    ),
    (
        "capture-limited", KINDS, "classic",
        both(without_variables, annotated("traffic.sidecar.istio.io/includeOutboundIPRanges", "10.0.0.0/8")),
        "traffic.sidecar.istio.io/includeOutboundIPRanges",
    ),
    ("label-value", KINDS, "native", labelled(LABEL, "true"), '"true"'),
    ("label-without-agent", KINDS, "native", only_labelled, "no container exeunt"),
    ("unlabelled", KINDS, "native", without_label, "container exeunt"),
    (
        "unknown-name", KINDS, "native", annotated("exeunt.dev/quit-signal", "cache=TERM"), "annotation exeunt.dev/quit-signal",
    ),
    (
        "unknown-name", KINDS, "native", both(annotated(LABEL, "on"), labelled("exeunt.dev/drian", "on")),
        "annotation exeunt.dev/drain, label exeunt.dev/drian",
    ),
    (
        "annotation-value", KINDS, "native",
        both(annotated("exeunt.dev/quit-endpoints", "base=PUT https://a/"), annotated("exeunt.dev/quit-signals", "TERM")),
        "base=PUT https://a/, TERM",
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
    native = pod["metadata"]["annotations"][NATIVE] == "true"
    return as_kind(kind, injected(pod, "native" if native else "classic") if kind == "Pod" else pod)


def test_every_mistake_is_named_and_nothing_else(server: Server) -> None:
    made = [changed(kind, form, change) for kind, _, _, form, change, _ in SHOWN]
    created = server.create(server.warning(), made, {"default": {}})
    expected = [[message(rule, evidence)] for _, rule, _, _, _, evidence in SHOWN]
    assert [said(one) for one in created] == expected


def test_an_agent_in_front_of_the_proxy_is_seen_in_a_pod(server: Server) -> None:
    """Only a pod has both."""
    pod = injected(right("native"), "native")
    pod["spec"]["initContainers"].reverse()
    assert said(one(server, as_kind("Pod", pod))) == [message("agent-before-proxy", "container exeunt")]


@pytest.mark.parametrize("kind", ["Job", "CronJob"])
def test_a_label_on_the_job_itself_is_seen(kind: str, server: Server) -> None:
    pod = right("native")
    only_labelled(pod)
    without_label(pod)
    made = as_kind(kind, pod)
    made["metadata"]["labels"] = {LABEL: "on"}
    assert said(one(server, made)) == [message("label-on-the-job", f"it is on the {kind}")]


def test_a_message_is_a_sentence_with_its_evidence_and_what_to_do(server: Server) -> None:
    pod = right("native")
    told("--container", "bass")(pod)
    assert said(one(server, as_kind("Job", pod))) == [
        "[exeunt wrong-container-name] The agent waits for a container that the pod does not have (bass). Remove --container "
        "from the agent's arguments (then every main container counts), or correct the name."
    ]


def test_the_page_shows_a_message() -> None:
    page = (ROOT / "docs" / "install.md").read_text()
    assert message("agent-stripped", "container exeunt") in page


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
    assert ids(one(server, made, warn={"enabled": True, "audit": True})) == ["agent-stripped"]


def test_the_page_has_every_rule() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    table = page.partition("## kubectl prints a warning\n")[2].partition("\n## ")[0]
    assert re.findall(r"(?m)^\| `([a-z-]+)` \|", table) == rules()


def test_the_policy_knows_every_annotation() -> None:
    names = yaml.safe_load((ROOT / "facts.yaml").read_text())["names"]
    text = (CHART / "templates" / "_warn_rules.tpl").read_text()
    known = re.findall(r"'(exeunt\.dev/[a-z-]+)'", text.partition("- id: unknown-name\n")[2].partition("]")[0])
    assert sorted([*known, LABEL, "exeunt.dev/reap"]) == sorted(names)


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
    assert ids(created) == ["wrong-container-name"]


def test_no_control_character_reaches_a_terminal(server: Server) -> None:
    pod = right("classic")
    annotated("exeunt.dev/quit-signals", "\x1b[31mred, two\nlines")(pod)
    annotated("status.sidecar.istio.io/port", "\x1b[2J")(pod)
    told("--container", "base", "--container", "\x1b]0;title\x07")(pod)
    created = one(server, as_kind("Job", pod))
    assert ids(created) == ["wrong-container-name", "status-port-differs", "annotation-value"]
    assert all(text.isprintable() for text in created.warnings)


def test_an_older_kubernetes_is_told_so() -> None:
    answer = template("--set", "warn.enabled=true", "--kube-version", "1.29.0")
    assert not answer.ok
    assert "warn.enabled needs Kubernetes 1.30 or newer, and this is v1.29.0" in answer.err


def test_without_the_option_nothing_warns() -> None:
    assert "ValidatingAdmissionPolicy" not in template().out
