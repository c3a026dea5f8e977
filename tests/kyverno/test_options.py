"""What the options change in a pod."""

import copy
from typing import Any

import pytest

from chart.programs import Resource
from inject import pods
from inject.pods import SKIPPED
from kyverno.engine import IMAGE, Kyverno, policies
from kyverno.test_who import pod

SOURCES: dict[str, Resource] = {
    "configMap": {"configMap": {"name": "exeunt-module", "optional": True}},
    "imageVolume": {"image": {"reference": IMAGE}},
}
MOUNT = {"name": "exeunt-module", "mountPath": "/etc/exeunt", "readOnly": True}


def native(**spec: Any) -> Resource:
    """The pod of a Job as Istio has injected it, with a native proxy."""
    found = pod(**spec)
    proxy = found["spec"]["containers"].pop() | {"restartPolicy": "Always"}
    found["spec"]["initContainers"] = [{"name": "istio-init", "image": "proxyv2"}, proxy, {"name": "fetch", "image": "busybox"}]
    return found


FORMS = {"native": native, "classic": pod}


@pytest.fixture(params=list(FORMS))
def form(request: pytest.FixtureRequest) -> str:
    """Each form of the proxy."""
    return str(request.param)


def become(one: Resource, **values: Any) -> Resource:
    """What becomes of a pod, with these values of the chart."""
    (answer,) = Kyverno(policies(**values)).create(one)
    assert answer.errors == []
    return answer.object


def agent(one: Resource, **values: Any) -> Resource:
    """The agent's container that these values make."""
    return pods.agent_of(become(one, **values))[1]


def test_the_agent_stands_behind_a_native_proxy_and_in_front_of_everything_else(form: str) -> None:
    found = become(FORMS[form](initContainers=[{"name": "fetch", "image": "busybox"}]))
    wanted = ["istio-init", "istio-proxy", "exeunt", "fetch"] if form == "native" else ["exeunt", "fetch"]
    assert pods.names(found, "initContainers") == wanted


@pytest.mark.parametrize("first", [True, False])
def test_a_regular_agent_stands_in_front_unless_the_task_waits_for_the_proxy(first: bool) -> None:
    found = pod()
    if first:
        found["spec"]["containers"].reverse()
    made = become(found, pods={"placement": "regular"})
    assert pods.names(made, "containers") == (["istio-proxy", "exeunt", "main"] if first else ["exeunt", "main", "istio-proxy"])


def test_the_container_is_adjustable(form: str) -> None:
    usual = agent(FORMS[form]())
    assert "imagePullPolicy" not in usual
    probes = {"livenessProbe": {"httpGet": {"path": "/", "port": 15021}, "periodSeconds": 7}}
    adjusted = {"uid": 4242, "resources": {"requests": {"cpu": None, "memory": "8Mi"}}, "arguments": ["--drain-timeout", "10m"]}
    other = agent(FORMS[form](), agent=adjusted | {"probes": probes, "image": {"pullPolicy": "Always"}})
    assert other["args"] == [*usual["args"], "--drain-timeout", "10m"]
    assert other["livenessProbe"] == probes["livenessProbe"]
    assert other["imagePullPolicy"] == "Always"
    assert other["resources"] == {"requests": {"memory": "8Mi"}, "limits": {"memory": "16Mi"}}
    assert (other["securityContext"]["runAsUser"], other["securityContext"]["runAsGroup"]) == (4242, 4242)
    assert "runAsUser" not in agent(FORMS[form](), agent={"uid": "none"})["securityContext"]
    assert "resources" not in agent(FORMS[form](), agent={"resources": None})


def test_more_labels_are_added_but_none_is_changed(form: str) -> None:
    found = FORMS[form]()
    found["metadata"]["labels"] = {"team": "reports"}
    made = become(found, pods={"labels": {"team": "all", "example.com/batch": "yes"}})
    assert made["metadata"]["labels"] == {"team": "reports", "example.com/batch": "yes", "exeunt.dev/drain": "on"}


@pytest.mark.parametrize(("own", "expected"), [(None, 300), (60, 300), (600, 600)])
def test_a_grace_period_is_raised_beside_a_native_proxy(own: int | None, expected: int, form: str) -> None:
    found = FORMS[form](**({} if own is None else {"terminationGracePeriodSeconds": own}))
    made = become(found, pods={"gracePeriod": 300})
    wanted = expected if form == "native" else own
    assert made["spec"].get("terminationGracePeriodSeconds") == wanted
    assert (f"{wanted}s" in pods.agent_of(made)[1]["args"]) is (wanted is not None)


def test_another_port_is_told_to_both(form: str) -> None:
    made = become(FORMS[form](), plugin={"config": {"signal": {"port": 16000}}})
    assert pods.variables(pods.proxy_of(made))["ISTIO_META_HTTP_PROXY_PORT"] == "16000"
    assert pods.agent_of(made)[1]["args"][-2:] == ["--signal-port", "16000"]


def test_a_proxy_config_comes_too_late_for_the_pod(form: str) -> None:
    """It selects pods by the label, which Istio's injector did not see yet."""
    assert pods.variables(pods.proxy_of(become(FORMS[form](), route="proxyConfig")))["ISTIO_META_HTTP_PROXY_PORT"] == "15190"


@pytest.mark.parametrize("route", ["serviceEntry", "none"])
def test_where_the_port_comes_by_another_way_the_proxy_is_not_told(route: str, form: str) -> None:
    told = pods.variables(pods.proxy_of(become(FORMS[form](), route=route)))
    assert told == ({} if form == "native" else {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"})


@pytest.mark.parametrize("share", ["unless-root", "never"])
def test_a_pod_that_may_not_share_its_processes_says_why(share: str, form: str) -> None:
    made = become(FORMS[form](), pods={"shareProcesses": share})
    reason = made["metadata"].get("annotations", {}).get(SKIPPED, "")
    assert reason.startswith(f"shareProcesses is {share}") is (form == "classic")


@pytest.mark.parametrize("source", SOURCES)
def test_the_module_is_mounted_into_the_proxy(source: str, form: str) -> None:
    made = become(FORMS[form](), plugin={"source": source})
    assert pods.proxy_of(made)["volumeMounts"] == [MOUNT]
    assert [one for one in made["spec"]["volumes"] if one["name"] == MOUNT["name"]] == [{"name": MOUNT["name"]} | SOURCES[source]]


def taken(what: str, found: Resource) -> Resource:
    """The pod with something in the module's place."""
    if what == "volume":
        found["spec"]["volumes"].append({"name": "exeunt-module", "emptyDir": {}})
    else:
        pods.proxy_of(found)["volumeMounts"].append({"name": "istio-envoy", "mountPath": "/etc/exeunt"})
    return found


@pytest.mark.parametrize("what", ["volume", "mount"])
def test_a_pod_with_something_in_the_modules_place_keeps_it(what: str, form: str) -> None:
    found = taken(what, FORMS[form]())
    before = copy.deepcopy(found)
    made = become(found, plugin={"source": "configMap"})
    assert pods.proxy_of(made)["volumeMounts"] == pods.proxy_of(before)["volumeMounts"]
    assert [one for one in made["spec"]["volumes"] if one["name"] != "exeunt"] == before["spec"]["volumes"]
    assert pods.agent_of(made)


@pytest.mark.parametrize(("said", "expected"), [("main", ["main"]), (" main , ", ["main"]), (",", ["main", "log-shipper"])])
def test_an_annotation_names_the_main_containers(said: str, expected: list[str]) -> None:
    found = pod(containers=[{"name": "main", "image": "task"}, {"name": "log-shipper", "image": "shipper"}])
    found["metadata"]["annotations"] = {"exeunt.dev/container": said}
    told = pods.agent_of(become(found))[1]["args"]
    assert [told[at + 1] for at, word in enumerate(told) if word == "--container"] == expected


def test_a_mistyped_name_is_no_main_container() -> None:
    found = pod()
    found["metadata"]["annotations"] = {"exeunt.dev/container": "main,mein"}
    assert become(found)["metadata"]["annotations"][SKIPPED] == 'exeunt.dev/container names "mein": the pod has no such container'


def test_another_helper_is_no_main_container() -> None:
    found = pod(containers=[{"name": "main", "image": "task"}, {"name": "log-shipper", "image": "shipper"}])
    assert agent(found, pods={"helpers": ["log-shipper"]})["args"][:4] == ["watch", "--container", "main", "--placement"]
