"""The logs that Airflow follows, as the provider's own code chooses them. test_matrix.py shows the same with real pods."""

import logging
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodManager
from kubernetes.client import V1Container, V1ObjectMeta, V1Pod, V1PodSpec

from exeunt_airflow import followed_logs, log
from exeunt_airflow.container_names import AGENT, PROXY, XCOM_HELPER

REGULAR, INIT = "fetch_requested_container_logs", "fetch_requested_init_container_logs"
needs_init_logs = pytest.mark.skipif(
    not hasattr(PodManager, INIT), reason="this provider does not read the logs of init containers"
)


@pytest.fixture(autouse=True)
def _as_in_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives a test the provider's own methods, and takes back what it has replaced."""
    for name in (REGULAR, INIT):
        method = getattr(PodManager, name, None)
        if method is not None:
            monkeypatch.setattr(PodManager, name, getattr(method, "__wrapped__", method))


def pod(init: "list[str] | None", regular: list[str]) -> V1Pod:
    """A pod with these containers."""
    containers, sidecars = ([V1Container(name=name) for name in names] for names in (regular, init or []))
    return V1Pod(
        metadata=V1ObjectMeta(name="t", namespace="jobs"), spec=V1PodSpec(containers=containers, init_containers=sidecars)
    )


def followed(monkeypatch: pytest.MonkeyPatch, method: str, of: V1Pod, wanted: Any) -> list[str]:
    """The containers whose logs the provider follows, in this order."""
    names: list[str] = []
    monkeypatch.setattr(PodManager, "read_pod", lambda _, pod: pod)
    monkeypatch.setattr(PodManager, "_await_init_container_start", lambda *_, **__: None, raising=False)
    monkeypatch.setattr(PodManager, "fetch_container_logs", lambda _, container_name, **__: names.append(container_name))
    getattr(PodManager(kube_client=SimpleNamespace()), method)(of, wanted, follow_logs=True)
    return names


@pytest.mark.parametrize(
    ("regular", "expected"),
    [
        ([AGENT, "base", "second", XCOM_HELPER, PROXY], ["base", "second", PROXY]),
        (["base", PROXY], ["base", PROXY]),
    ],
    ids=["with an agent", "without"],
)
def test_every_regular_container_but_the_agent(monkeypatch: pytest.MonkeyPatch, regular: list[str], expected: list[str]) -> None:
    of = pod(None, regular)
    before = followed(monkeypatch, REGULAR, of, True)
    followed_logs.leave_out_the_agent()
    assert followed(monkeypatch, REGULAR, of, True) == expected == [name for name in before if name != AGENT]


@needs_init_logs
@pytest.mark.parametrize(
    ("init", "expected"),
    [
        ([AGENT, "prepare"], ["prepare"]),
        ([PROXY, AGENT, "prepare"], ["prepare"]),
        ([PROXY, AGENT], []),
        ([PROXY, "prepare"], [PROXY, "prepare"]),
    ],
    ids=["with an agent", "with an agent, injected", "nothing else", "without"],
)
def test_every_init_container_but_the_agent_and_its_proxy(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, init: list[str], expected: list[str]
) -> None:
    followed_logs.leave_out_the_agent()
    assert followed(monkeypatch, INIT, pod(init, ["base"]), True) == expected
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_a_container_that_is_named_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    followed_logs.leave_out_the_agent()
    assert followed(monkeypatch, REGULAR, pod(None, [AGENT, "base"]), ["base", AGENT]) == ["base", AGENT]
    assert followed(monkeypatch, REGULAR, pod(None, [AGENT, "base"]), "base") == ["base"]


def test_the_methods_are_replaced_once() -> None:
    followed_logs.leave_out_the_agent()
    once = getattr(PodManager, REGULAR)
    followed_logs.leave_out_the_agent()
    assert getattr(PodManager, REGULAR) is once
    assert not hasattr(once.__wrapped__, "__wrapped__")


def test_a_method_that_is_not_known_stays_and_is_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class OtherManager:
        """A provider of another day."""

        def fetch_requested_container_logs(self, request: Any) -> Any:
            """Has other arguments."""

    other = ModuleType("other")
    other.PodManager = OtherManager  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, PodManager.__module__, other)
    log.warn_once.cache_clear()
    own = OtherManager.fetch_requested_container_logs
    for _ in range(2):
        followed_logs.leave_out_the_agent()
    assert OtherManager.fetch_requested_container_logs is own
    assert caplog.text.count("exeunt does not know this") == 1


def test_nothing_happens_without_the_provider(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delitem(sys.modules, PodManager.__module__)
    followed_logs.leave_out_the_agent()
    assert PodManager.__module__ not in sys.modules
    assert caplog.text == ""
