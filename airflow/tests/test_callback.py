"""The callback, with pods that never ran. test_matrix.py shows that the real operator waits for it and gets its line."""

import json
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client import (
    ApiException,
    V1Container,
    V1ContainerState,
    V1ContainerStateRunning,
    V1ContainerStateTerminated,
    V1ContainerStatus,
    V1Pod,
    V1PodStatus,
)

import vectors
from exeunt_airflow import ExeuntCallback, callback, metrics
from exeunt_airflow.callback import DataWasLost
from exeunt_airflow.container_names import AGENT, PROXY, XCOM_HELPER
from exeunt_airflow.form import Form
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.settings import Settings

DELIVERED = {"proxy": "gone", "route": "filter 127.0.0.1:15190", "drainMs": 850}
DELIVERED |= {"undelivered": {"connections": 0, "bytes": 0, "atLeast": False}, "limit": None, "advice": None}
LOST = DELIVERED | {"undelivered": {"connections": 2, "bytes": 1000, "atLeast": True}, "limit": "stall-timeout", "advice": "look"}


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExeuntCallback, "poll_interval", 0.0)
    monkeypatch.setattr(callback, "_MARGIN_S", 0.0)
    use(monkeypatch, Settings(drain_timeout="1ms"))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The metrics that are sent."""
    calls: list[Any] = []
    stats = SimpleNamespace(
        timing=lambda name, time: calls.append((name, time.total_seconds())),
        incr=lambda name, count: calls.append((name, count)),
    )
    monkeypatch.setattr(metrics, "_stats", lambda: stats)
    return calls


def use(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    """The callback uses these settings."""
    monkeypatch.setattr(callback, "settings_or_none", lambda: settings)


def pod(
    *ended: str,
    form: Form | None = vectors.CLASSIC,
    native: bool = False,
    phase: str = "Running",
    verdict: Any = DELIVERED,
    xcom: bool = False,
) -> V1Pod:
    """A pod in which the containers `ended` have ended, and all others run. No form: it has no agent."""
    one = vectors.pod("kpo-xcom" if xcom else "kpo-plain")
    if form is not None:
        mutation_of(one, Settings(), lambda _: form).apply(one)
    proxy = V1Container(name=PROXY, image="proxyv2")
    if native:
        one.spec.init_containers = [*(one.spec.init_containers or []), proxy]
    else:
        one.spec.containers.append(proxy)
    message = verdict if isinstance(verdict, str) else json.dumps(verdict)

    def statuses(containers: list[V1Container]) -> list[V1ContainerStatus]:
        return [status(one.name) for one in containers]

    def status(name: str) -> V1ContainerStatus:
        end = V1ContainerStateTerminated(exit_code=0, reason="Completed", message=message if name == AGENT else None)
        state = V1ContainerState(terminated=end) if name in ended else V1ContainerState(running=V1ContainerStateRunning())
        return V1ContainerStatus(name=name, image="", image_id="", ready=False, restart_count=0, state=state)

    one.status = V1PodStatus(
        phase=phase,
        container_statuses=statuses(one.spec.containers),
        init_container_statuses=statuses(one.spec.init_containers or []),
    )
    return one


class Client:
    """Returns these pods one after the other, and then always the last one. `None`: the pod is gone."""

    def __init__(self, *pods: Any) -> None:
        self.pods, self.requests = list(pods), 0

    def read_namespaced_pod(self, name: str, namespace: str) -> Any:
        """The next pod."""
        assert name
        assert namespace
        self.requests += 1
        one = self.pods.pop(0) if len(self.pods) > 1 else self.pods[0]
        if one is None:
            raise ApiException(status=404)
        return one


def complete(*pods: Any, kind: type[ExeuntCallback] = ExeuntCallback) -> int:
    """The operator finds the first pod when its task ends, and the callback gets the others. Returns the number of requests."""
    client = Client(*pods)
    kind.on_pod_completion(pod=pods[0], client=client, mode="sync")
    return client.requests


def clean_up(*pods: Any, kind: type[ExeuntCallback] = ExeuntCallback) -> int:
    """The operator has cleaned up, and the callback gets these pods. Returns the number of requests."""
    client = Client(*pods)
    kind.on_pod_cleanup(pod=vectors.pod("kpo-xcom" if xcom_is_in(pods) else "kpo-plain"), client=client, mode="sync")
    return client.requests


def xcom_is_in(pods: tuple[Any, ...]) -> bool:
    """Whether one of the pods has the XCom helper."""
    return any(one is not None and XCOM_HELPER in [container.name for container in one.spec.containers] for one in pods)


@pytest.mark.parametrize(
    ("pods", "requests"),
    [
        ([pod("base"), pod("base"), pod("base", PROXY), pod("base", PROXY, AGENT)], 4),
        ([pod("base", form=vectors.REGULAR), pod("base", PROXY), pod("base", PROXY, AGENT, form=vectors.REGULAR)], 3),
        ([pod("base", native=True, form=vectors.NATIVE), pod("base", AGENT, native=True, form=vectors.NATIVE)], 2),
    ],
    ids=["classic", "regular", "native"],
)
def test_it_waits_until_the_proxy_and_the_agent_have_ended(
    pods: list[V1Pod], requests: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, Settings(drain_timeout="1h"))
    with caplog.at_level(logging.INFO, "exeunt_airflow"):
        assert complete(*pods) == requests
    name = pods[0].metadata.name
    told = f"pod {name}: the proxy ended, 850 ms after the task, by filter 127.0.0.1:15190: everything was delivered"
    assert caplog.messages == [told]
    assert caplog.records[0].levelno == logging.INFO


@pytest.mark.parametrize(
    "one",
    [
        None,
        pod("base", PROXY, AGENT),
        pod("base", form=None),
        pod("base", native=True, form=None),
        pod("base", AGENT, native=True, form=vectors.NATIVE),
        pod("base", form=vectors.NATIVE, native=True, xcom=True),
        pod("base", PROXY, xcom=True),
        pod("base", phase="Succeeded"),
        vectors.pod("kpo-plain"),
    ],
    ids=[
        "no pod",
        "ended",
        "no agent",
        "no agent, native",
        "native, ended",
        "XCom helper runs, native",
        "XCom helper runs",
        "over",
        "",
    ],
)
def test_it_does_not_wait_if_nothing_is_to_end(one: Any) -> None:
    assert complete(one) == 0


def test_it_stops_waiting_after_the_agents_own_limit(caplog: pytest.LogCaptureFixture) -> None:
    complete(pod("base"))
    assert "is still running after 0.001 s" in caplog.text


def test_it_never_raises(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, Settings(drain_timeout="1h"))
    ExeuntCallback.on_pod_completion(pod=pod("base"), client=SimpleNamespace(), mode="sync")
    assert "exeunt stops waiting for the proxy" in caplog.text


def test_a_verdict_that_comes_after_the_xcom_helper_is_told_when_the_operator_has_cleaned_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Settings(drain_timeout="1h"))
    form: dict[str, Any] = {"form": vectors.NATIVE, "native": True, "xcom": True}
    with caplog.at_level(logging.INFO, "exeunt_airflow"):
        complete(pod("base", **form))
        assert caplog.messages == []
        assert clean_up(pod("base", **form), pod("base", XCOM_HELPER, AGENT, **form)) == 2
    assert "everything was delivered" in caplog.text


def test_it_is_told_once(caplog: pytest.LogCaptureFixture, sent: list[Any]) -> None:
    with caplog.at_level(logging.INFO, "exeunt_airflow"):
        complete(pod("base", PROXY, AGENT))
        assert clean_up(None) == 0
    assert len(caplog.messages) == 1
    assert sent == [("exeunt.drain", 0.85), ("exeunt.undelivered_bytes", 0)]


@pytest.mark.parametrize("pods", [(None,), (pod(form=None),), (pod(),)], ids=["gone", "no agent", "its task did not end"])
def test_after_the_clean_up_it_does_not_wait_for_what_does_not_come(
    pods: tuple[Any, ...], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Settings(drain_timeout="1h"))
    assert clean_up(*pods) == 1
    assert caplog.messages == []


def test_a_loss_is_a_warning_and_a_metric(caplog: pytest.LogCaptureFixture, sent: list[Any]) -> None:
    complete(pod("base", PROXY, AGENT, verdict=LOST))
    clean_up(None)
    assert (
        "by filter 127.0.0.1:15190: 1000 bytes or more on 2 connections were not delivered (stall-timeout); look" in caplog.text
    )
    assert sent[1] == ("exeunt.undelivered_bytes", 1000)


class Strict(ExeuntCallback):
    """As a user writes it."""

    fail_on_loss = True


@pytest.mark.parametrize(
    ("kind", "settings"), [(Strict, Settings()), (ExeuntCallback, Settings(fail_on_loss=True))], ids=["class", "setting"]
)
def test_a_loss_fails_the_task_after_the_clean_up(
    kind: type[ExeuntCallback], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, settings)
    complete(pod("base", PROXY, AGENT, verdict=LOST), kind=kind)
    with pytest.raises(DataWasLost, match=r"data of pod .* was lost: the proxy ended, .* 1000 bytes or more"):
        clean_up(None, kind=kind)
    complete(pod("base", PROXY, AGENT), kind=kind)
    clean_up(None, kind=kind)


def test_a_task_that_failed_keeps_its_own_reason() -> None:
    complete(pod("base", PROXY, AGENT, verdict=LOST), kind=Strict)

    def execute() -> None:
        try:
            raise ZeroDivisionError
        finally:
            clean_up(None, kind=Strict)

    with pytest.raises(ZeroDivisionError):
        execute()


@pytest.mark.parametrize("text", ["", "[]", "{", "{}", '{"proxy": 1}', '{"proxy": "gone", "undelivered": {"bytes": "many"}}'])
def test_an_agent_without_a_verdict_is_told(text: str, caplog: pytest.LogCaptureFixture) -> None:
    one = pod("base", PROXY, AGENT, verdict=text)
    complete(one)
    assert caplog.messages == [f"exeunt left no verdict in pod {one.metadata.name}: it ended with 0 (Completed)"]
    clean_up(None, kind=Strict)


def test_metrics_that_cannot_be_sent_do_no_harm(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_MODULES", ())
    complete(pod("base", PROXY, AGENT, verdict=LOST))
    assert "exeunt cannot send its metrics" in caplog.text
    with pytest.raises(DataWasLost):
        clean_up(None, kind=Strict)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"proxy": "left", "route": "socket table"},
            "the proxy was drained, and kubelet ends it, 850 ms after the task, by socket table",
        ),
        ({"proxy": "gone", "drainMs": None, "route": None}, "the proxy had ended before the task: everything was delivered"),
        ({"proxy": "none", "drainMs": None}, "there was no Istio proxy"),
        ({"proxy": "stays", "drainMs": None}, "the proxy still runs, and keeps the pod"),
        ({"proxy": "draining", "drainMs": None}, "exeunt was ended before the proxy was drained"),
        ({"proxy": "untouched", "refused": [{"reason": "no processes"}]}, "exeunt did nothing: no processes"),
        ({"undelivered": {"connections": 1, "bytes": 0, "atLeast": False}}, "1 connections were cut off, perhaps with data"),
        ({"undelivered": {"connections": 0, "bytes": 0, "atLeast": True}}, "nobody knows whether everything was delivered"),
    ],
)
def test_every_end_has_a_sentence(changes: dict[str, Any], sentence: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "exeunt_airflow"):
        complete(pod("base", PROXY, AGENT, verdict=DELIVERED | changes))
    clean_up(None)
    assert sentence in caplog.text


def test_airflows_own_stats_know_both_metrics() -> None:
    stats = metrics._stats()
    assert callable(stats.timing)
    assert callable(stats.incr)
