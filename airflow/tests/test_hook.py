"""The hook's law: wholly or not at all, and nothing is raised into Airflow."""

import copy
import logging
from typing import Any

import pytest
from kubernetes.client import V1ObjectMeta, V1Pod, V1PodSpec

import vectors
from exeunt_airflow import agent_container, amend, hook, pod_mutation_hook
from exeunt_airflow.reasons import NotConcerned
from exeunt_airflow.settings import Settings


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "settings_or_none", lambda: Settings(placement="native"))


class Surprise(Exception):
    """Something that nobody thought of."""


@pytest.mark.parametrize("where", ["container", "volume"])
def test_an_error_of_our_own_leaves_the_pod_as_it_was(
    where: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise Surprise

    monkeypatch.setattr(agent_container, where, fail)
    pod = vectors.pod("kpo-plain")
    before = copy.deepcopy(vectors.plain(pod))
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        pod_mutation_hook(pod)
    assert vectors.plain(pod) == before
    (record,) = caplog.records
    assert record.exc_info is not None
    assert record.exc_info[0] is Surprise


@pytest.mark.parametrize(
    "thing", [None, 7, {"kind": "Pod"}, V1Pod(), V1Pod(metadata=V1ObjectMeta(name="a"), spec=None), "pod without containers"]
)
def test_whatever_it_is_given_it_does_not_raise(thing: Any, caplog: pytest.LogCaptureFixture) -> None:
    if isinstance(thing, str):
        thing = V1Pod(metadata=V1ObjectMeta(name="a"), spec=V1PodSpec(containers=[]))
    before = copy.deepcopy(thing)
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        pod_mutation_hook(thing)
    assert thing == before
    assert len(caplog.records) == 1


@pytest.mark.parametrize("settings", [None, Settings(enabled=False)])
def test_it_can_be_switched_off(settings: Settings | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "settings_or_none", lambda: settings)
    pod = vectors.pod("kpo-plain")
    pod_mutation_hook(pod)
    assert vectors.plain(pod) == vectors.plain(vectors.pod("kpo-plain"))


def amended(name: str, **settings: Any) -> Any:
    """The pod of a vector under these settings."""
    pod = vectors.pod(name)
    amend.amend(pod, Settings(**settings), lambda _: "native").apply(pod)
    return vectors.plain(pod)


def test_opt_in_takes_only_those_that_ask_for_it() -> None:
    assert amended("asks-for-it", mode="opt-in")["spec"]["shareProcessNamespace"] is True
    with pytest.raises(NotConcerned):
        amended("kpo-plain", mode="opt-in")


def test_only_the_namespaces_that_are_named_are_concerned() -> None:
    assert amended("kpo-plain", namespaces=("airflow",))["spec"]["shareProcessNamespace"] is True
    with pytest.raises(NotConcerned, match="namespace airflow is not among"):
        amended("kpo-plain", namespaces=("jobs",))


def test_the_route_by_service_entry_needs_no_signal_port_in_the_pod() -> None:
    config = vectors.comparable(amended("kpo-plain", signal_route="service-entry"))["metadata"]["annotations"]
    assert config["proxy.istio.io/config"] == {"proxyMetadata": {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"}}


def test_settings_reach_the_agent() -> None:
    given = {
        "image": "mirror/agent:1",
        "image_pull_policy": "Always",
        "image_pull_secrets": ("mirror",),
        "drain_timeout": "90s",
        "signal_port": 15999,
        "cpu_request": "5m",
        "memory_request": "8Mi",
        "memory_limit": "32Mi",
    }
    pod = amended("kpo-plain", **given)
    (agent,) = pod["spec"]["initContainers"]
    assert (agent["image"], agent["imagePullPolicy"]) == ("mirror/agent:1", "Always")
    assert agent["args"][-4:] == ["--signal-port", "15999", "--drain-timeout", "90s"]
    assert agent["resources"] == {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"memory": "32Mi"}}
    assert pod["spec"]["imagePullSecrets"] == [{"name": "mirror"}]
    config = vectors.comparable(pod)["metadata"]["annotations"]["proxy.istio.io/config"]
    assert config["proxyMetadata"]["ISTIO_META_HTTP_PROXY_PORT"] == "15999"


@pytest.mark.parametrize(("provider", "expected"), [("8.0.1", False), ("10.4.2", False), ("10.4.3", True), ("10.25.0", True)])
def test_a_pod_with_xcom_is_left_alone_where_its_helper_could_not_be_ended(
    provider: str, expected: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda _: provider)
    pod = vectors.pod("kpo-xcom")
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        pod_mutation_hook(pod)
    assert bool(pod.spec.share_process_namespace) is expected
    words = f"cncf-kubernetes {provider} cannot end that beside an agent: 10.4.3 can"
    assert [words in record.getMessage() for record in caplog.records] == ([] if expected else [True])


def test_nothing_in_the_agents_command_line_is_found_by_airflows_search_for_a_shell() -> None:
    # `pgrep -f sh` looks at every process of the pod; the name of the main container is the user's own affair.
    for placement in ("native", "regular"):
        words = agent_container.arguments(vectors.pod("long-grace").spec, "base", placement, Settings(drain_timeout="90s"))
        assert "sh" not in " ".join(["/exeunt-agent", *words])
