"""Who gets the agent, and what the options change."""

import json
from typing import Any

import pytest

from chart.programs import Resource
from inject import pods
from inject.pods import AGENT, LABEL, SKIPPED
from inject.test_options import REASONS, WHO, changed, job, labelled
from policy.server import Created, Server

KEEP = {"pods": {"proxy": "keep"}}
REGULAR = {"pods": {"proxy": "keep", "placement": "regular"}}


def one(server: Server, pod: Resource | None = None, **values: Any) -> Created:
    """What becomes of a pod with these values of the chart."""
    (found,) = server.create(server.policies(**values), [pod or job()])
    return found


def has_agent(created: Created) -> bool:
    """Whether the pod has an agent."""
    return any(AGENT in pods.names(created.stored, place) for place in pods.LISTS)


def agent(server: Server, pod: Resource | None = None, **values: Any) -> Resource:
    """The agent's container that these values make."""
    return pods.agent_of(one(server, pod, **values).stored)[1]


def reason(created: Created) -> str:
    """Why a pod has no agent."""
    return str(created.stored["metadata"].get("annotations", {}).get(SKIPPED, ""))


@pytest.mark.parametrize("who", WHO)
def test_the_pods_of_jobs_and_labelled_pods_get_the_agent(who: str, server: Server) -> None:
    make, of_jobs, only_labelled = WHO[who]
    by_default, by_label = one(server, make()), one(server, make(), pods={"select": "labelled"})
    assert (has_agent(by_default), has_agent(by_label)) == (of_jobs, only_labelled)


@pytest.mark.parametrize("why", REASONS)
def test_a_pod_that_cannot_have_the_agent_says_why(why: str, server: Server) -> None:
    make, in_both_forms = REASONS[why]
    native, classic = one(server, make()), one(server, make(), **KEEP)
    if in_both_forms:
        assert why in reason(native)
        assert not has_agent(native)
    else:
        assert (has_agent(native), reason(native)) == (True, "")
    assert why in reason(classic)
    assert not has_agent(classic)


@pytest.mark.parametrize(
    ("said", "values", "native"),
    [
        (None, {}, True),
        (None, KEEP, False),
        ("true", {}, True),
        ("true", KEEP, True),
        ("false", {}, False),
        ("false", KEEP, False),
    ],
)
def test_the_pod_s_own_word_on_the_proxy_comes_first(said: str | None, values: Any, native: bool, server: Server) -> None:
    pod = job()
    pod["metadata"]["annotations"] = {"sidecar.istio.io/nativeSidecar": said} if said else {}
    stored = one(server, pod, **values).stored
    wanted = said or ("true" if native else None)
    assert stored["metadata"]["annotations"].get("sidecar.istio.io/nativeSidecar") == wanted
    assert stored["spec"].get("shareProcessNamespace", False) is not native


def test_a_proxy_that_is_a_regular_container_of_the_pod_is_classic(server: Server) -> None:
    """Istio then adds no second one, and a native one beside it would make the pod invalid."""
    pod = job()
    pod["spec"]["containers"].append({"name": "istio-proxy", "image": "auto"})
    stored = one(server, pod).stored
    assert "sidecar.istio.io/nativeSidecar" not in stored["metadata"]["annotations"]
    assert pods.agent_of(stored)[1]["args"][:4] == ["watch", "--container", "base", "--placement"]


@pytest.mark.parametrize("values", [{}, KEEP, REGULAR], ids=["native", "classic", "regular"])
def test_the_container_is_adjustable(values: dict[str, Any], server: Server) -> None:
    usual = agent(server, **values)
    assert usual["imagePullPolicy"] == "IfNotPresent"
    assert usual["resources"] == {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "16Mi"}}
    always = {"repository": "registry.example/exeunt-agent", "tag": "test", "pullPolicy": "Always"}
    assert agent(server, agent={"image": always}, **values)["imagePullPolicy"] == "Always"
    other = agent(server, agent={"uid": 4242}, **values)["securityContext"]
    assert (other["runAsUser"], other["runAsGroup"]) == (4242, 4242)
    nobody = agent(server, agent={"uid": "none"}, **values)["securityContext"]
    assert nobody == {key: value for key, value in other.items() if key not in ("runAsUser", "runAsGroup")}
    assert agent(server, agent={"resources": None}, **values)["resources"] == {}
    limit = {"requests": None, "limits": {"memory": "32Mi", "cpu": 0.1}}
    assert agent(server, agent={"resources": limit}, **values)["resources"]["limits"] == {"memory": "32Mi", "cpu": "100m"}
    more = agent(server, agent={"arguments": ["--drain-timeout", "10m", "a\nb"]}, **values)["args"]
    assert more == [*usual["args"], "--drain-timeout", "10m", "a\nb"]


# Signs that YAML, Go's templates, CEL or a lookalike of each could read in another way.
STRANGE = [
    'a "b" {{ c }} $1 \\ `d` <e> & %s',
    "it's\n\t- name: evil\n",
    "{{- end }}",
    "'''",
    "r'",
    "|-",
    "\\u0041\\n",
    "\u2028\a\r",
    "größer",
]


def test_strange_arguments_are_as_they_are_written(server: Server) -> None:
    usual = agent(server)["args"]
    probe = {"startupProbe": {"exec": {"command": STRANGE}}}
    told = agent(server, agent={"arguments": STRANGE, "probes": probe})
    assert told["args"] == [*usual, *STRANGE]
    assert told["startupProbe"]["exec"]["command"] == STRANGE


def test_a_probe_is_as_it_is_written(server: Server) -> None:
    probe = {"tcpSocket": {"port": 15190}, "periodSeconds": 3, "failureThreshold": 2}
    told = agent(server, agent={"probes": {"startupProbe": probe}})["startupProbe"]
    assert {key: told[key] for key in probe} == probe


def test_a_probe_with_a_mistake_is_refused_before_it_could_keep_every_pod_from_being_created(server: Server) -> None:
    probe = {"startupProbe": {"tcpSockets": {"port": 15190}}}
    with pytest.raises(AssertionError, match="additional properties 'tcpSockets' not allowed"):
        server.policies(agent={"probes": probe})
    policies = server.policies(agent={"probes": {"startupProbe": {"tcpSocket": {"port": 15190}}}})
    text = json.dumps(policies).replace("tcpSocket", "tcpSockets").replace('"failurePolicy": "Fail"', '"failurePolicy": "Ignore"')
    (created,) = server.create(json.loads(text), [job()])
    assert 'unknown field "spec.initContainers[0].startupProbe.tcpSockets"' in created.refused


def test_a_large_pod_is_not_too_much_for_the_policy(server: Server) -> None:
    rules = [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1, 2, 3]}}]
    named = {"image": "task", "restartPolicy": "Never", "restartPolicyRules": rules}
    pod = changed(containers=[{"name": f"task-{number}"} | named for number in range(100)])
    pod["metadata"]["annotations"] = {"proxy.istio.io/config": f"proxyMetadata:\n  A: {'b' * 100_000}\n"}
    assert len(agent(server, pod, **KEEP)["args"]) > 600


def test_beside_resources_of_the_pod_the_agent_has_none(server: Server) -> None:
    stored = one(server, changed(resources={"limits": {"cpu": "1", "memory": "64Mi"}})).stored
    assert pods.agent_of(stored)[1]["resources"] == {}


def test_more_labels_replace_none_of_the_pod_s(server: Server) -> None:
    pod = job()
    pod["metadata"]["labels"] = {"team": "data"}
    told = one(server, pod, pods={"labels": {"team": "mesh", "example.com/batch": "yes"}}).stored["metadata"]["labels"]
    assert told == {"team": "data", "example.com/batch": "yes", LABEL: "on"}


def test_another_port_is_told_to_both(server: Server) -> None:
    stored = one(server, plugin={"config": {"signal": {"port": 16000}}}).stored
    assert '"ISTIO_META_HTTP_PROXY_PORT": "16000"' in stored["metadata"]["annotations"]["proxy.istio.io/config"]
    assert pods.agent_of(stored)[1]["args"][-2:] == ["--signal-port", "16000"]


@pytest.mark.parametrize("route", ["proxyConfig", "serviceEntry", "none"])
def test_another_route_needs_no_annotation_beside_a_native_proxy(route: str, server: Server) -> None:
    assert "proxy.istio.io/config" not in one(server, route=route).stored["metadata"]["annotations"]


@pytest.mark.parametrize(("route", "told"), [("proxyConfig", False), ("serviceEntry", True), ("none", True)])
def test_a_classic_proxy_waits_for_connections_by_any_route(route: str, told: bool, server: Server) -> None:
    """A ProxyConfig says it for all pods."""
    annotations = one(server, route=route, **KEEP).stored["metadata"].get("annotations", {})
    wanted = '{"proxyMetadata": {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"}}' if told else None
    assert annotations.get("proxy.istio.io/config") == wanted


def test_an_annotation_names_the_main_containers(server: Server) -> None:
    pod = job()
    pod["spec"]["containers"].append({"name": "log-shipper", "image": "shipper"})
    pod["metadata"]["annotations"] = {"exeunt.dev/container": "base , log-shipper"}
    assert agent(server, pod, **KEEP)["args"][:5] == ["watch", "--container", "base", "--container", "log-shipper"]


def test_an_empty_annotation_names_none(server: Server) -> None:
    pod = job()
    pod["metadata"]["annotations"] = {"exeunt.dev/container": " ,"}
    assert agent(server, pod, **KEEP)["args"][:4] == ["watch", "--container", "base", "--placement"]


def test_a_main_container_that_the_pod_does_not_have_is_a_mistake(server: Server) -> None:
    pod = job()
    pod["metadata"]["annotations"] = {"exeunt.dev/container": "base,bass"}
    assert reason(one(server, pod, **KEEP)) == 'exeunt.dev/container names "bass": the pod has no such container'
    assert has_agent(one(server, pod))


def test_another_helper_is_no_main_container(server: Server) -> None:
    pod = job()
    pod["spec"]["containers"].append({"name": "log-shipper", "image": "shipper"})
    told = agent(server, pod, pods={"proxy": "keep", "helpers": ["log-shipper"]})["args"]
    assert told[:4] == ["watch", "--container", "base", "--placement"]


@pytest.mark.parametrize(("own", "expected"), [(None, 300), (60, 300), (600, 600)])
@pytest.mark.parametrize("proxy", ["native", "keep"])
def test_a_grace_period_is_raised_beside_a_native_proxy(own: int | None, expected: int, proxy: str, server: Server) -> None:
    pod = job() if own is None else changed(terminationGracePeriodSeconds=own)
    stored = one(server, pod, pods={"gracePeriod": 300, "proxy": proxy}).stored
    wanted = expected if proxy == "native" else own or 30
    assert stored["spec"]["terminationGracePeriodSeconds"] == wanted
    assert (f"{wanted}s" in pods.agent_of(stored)[1]["args"]) is (wanted != 30)


def test_pods_of_root_share_nothing_if_the_option_says_so(server: Server) -> None:
    names = [name for name in pods.NAMES if pods.expected(name, "classic")]
    policies = server.policies(pods={"proxy": "keep", "shareProcesses": "unless-root"})
    created = server.create(policies, [pods.vector(name) for name in names])
    stays = [name for name, one in zip(names, created, strict=True) if not has_agent(one)]
    assert stays == pods.load("unless-root.yaml")
    assert all("may run as root" in reason(one) for name, one in zip(names, created, strict=True) if name in stays)


def test_no_pod_shares_its_processes_if_the_option_says_so(server: Server) -> None:
    assert has_agent(one(server, pods={"shareProcesses": "never"}))
    classic = one(server, pods={"shareProcesses": "never", "proxy": "keep"})
    assert "shareProcesses is never" in reason(classic)


def test_an_agent_of_another_name_is_an_agent(server: Server) -> None:
    drain = {"name": "drain", "image": "registry.example:5000/a/exeunt-agent@sha256:0", "restartPolicy": "Always"}
    pod = changed(initContainers=[drain])
    assert not has_agent(one(server, pod))


@pytest.mark.parametrize("labels", [{"a": "b"}, None])
def test_a_pod_without_labels_or_annotations_gets_them(labels: dict[str, str] | None, server: Server) -> None:
    pod = job()
    pod["metadata"].pop("annotations", None)
    pod["metadata"].pop("labels", None)
    if labels:
        pod["metadata"]["labels"] = labels
    assert one(server, pod).stored["metadata"]["labels"] == (labels or {}) | {LABEL: "on"}


def test_a_namespace_is_bound_by_its_label(server: Server) -> None:
    names = {"bound": {LABEL: "on"}, "other": {}, "off": {LABEL: "off"}, "injected": {"istio-injection": "enabled"}}
    assert _with_agent(server, names, "labelled") == ["bound"]


def test_every_injected_namespace_is_bound_if_the_option_says_so(server: Server) -> None:
    names = {
        "other": {},
        "bound": {LABEL: "on"},
        "injected": {"istio-injection": "enabled"},
        "revision": {"istio.io/rev": "1-30"},
        "both": {"istio-injection": "enabled", "istio.io/rev": "1-30"},
        "opted-out": {"istio-injection": "enabled", LABEL: "off"},
        "revision-out": {"istio.io/rev": "1-30", LABEL: "off"},
        "disabled": {"istio-injection": "disabled", "istio.io/rev": "1-30"},
    }
    assert _with_agent(server, names, "injected") == ["injected", "revision", "both"]


def _with_agent(server: Server, namespaces: dict[str, dict[str, str]], bound: str) -> list[str]:
    asked = []
    for name in namespaces:
        pod = labelled("on", job())
        pod["metadata"]["namespace"] = name
        asked.append(pod)
    created = server.create(server.policies(pods={"namespaces": bound}), asked, namespaces)
    return [name for name, one in zip(namespaces, created, strict=True) if has_agent(one)]
