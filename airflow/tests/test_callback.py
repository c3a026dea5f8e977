"""The callback, with pods that never ran. test_matrix.py shows that the real operator waits for it."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client import (
    V1Container,
    V1ContainerState,
    V1ContainerStateRunning,
    V1ContainerStateTerminated,
    V1ContainerStatus,
    V1Pod,
    V1PodStatus,
)

import vectors
from exeunt_airflow import ExeuntCallback, callback
from exeunt_airflow.container_names import PROXY
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.settings import Settings


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ExeuntCallback, "poll_interval", 0.0)
    monkeypatch.setattr(callback, "_MARGIN_S", 0.0)
    monkeypatch.setattr(callback, "settings_or_none", lambda: Settings(drain_timeout="1ms"))


def pod(*, ended: bool, agent: bool = True, native: bool = False, phase: str = "Running") -> V1Pod:
    """A pod whose task has ended. `ended` is whether its proxy has."""
    one = vectors.pod("kpo-plain")
    if agent:
        mutation_of(one, Settings(), lambda _: vectors.CLASSIC).apply(one)
    proxy = V1Container(name=PROXY, image="proxyv2")
    if native:
        one.spec.init_containers = [*(one.spec.init_containers or []), proxy]
    else:
        one.spec.containers.append(proxy)
    terminated, running = V1ContainerStateTerminated(exit_code=0), V1ContainerStateRunning()
    state = V1ContainerState(terminated=terminated) if ended else V1ContainerState(running=running)
    status = V1ContainerStatus(name=PROXY, image="", image_id="", ready=False, restart_count=0, state=state)
    one.status = V1PodStatus(phase=phase, container_statuses=[status])
    return one


class Client:
    """Returns these pods one after the other, and then always the last one."""

    def __init__(self, *pods: Any) -> None:
        self.pods, self.requests = list(pods), 0

    def read_namespaced_pod(self, name: str, namespace: str) -> Any:
        """The next pod."""
        assert (name, namespace) == (self.pods[0].metadata.name, self.pods[0].metadata.namespace)
        self.requests += 1
        return self.pods.pop(0) if len(self.pods) > 1 else self.pods[0]


def test_it_waits_until_the_proxy_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "settings_or_none", lambda: Settings(drain_timeout="1h"))
    client = Client(pod(ended=False), pod(ended=False), pod(ended=True))
    ExeuntCallback.on_pod_completion(pod=pod(ended=False), client=client, mode="sync")
    assert client.requests == 3


@pytest.mark.parametrize(
    "one",
    [
        None,
        pod(ended=True),
        pod(ended=False, agent=False),
        pod(ended=False, native=True),
        pod(ended=False, phase="Succeeded"),
        vectors.pod("kpo-plain"),
    ],
    ids=["no pod", "ended", "no agent", "native proxy", "pod ended", "no proxy"],
)
def test_it_does_not_wait_if_there_is_no_proxy_for_the_agent_to_end(one: Any) -> None:
    client = Client(one)
    ExeuntCallback.on_pod_completion(pod=one, client=client, mode="sync")
    assert client.requests == 0


def test_it_stops_waiting_after_the_agents_own_limit(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        ExeuntCallback.on_pod_completion(pod=pod(ended=False), client=Client(pod(ended=False)), mode="sync")
    assert "is still running after 0.001 s" in caplog.text


def test_it_never_raises(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(callback, "settings_or_none", lambda: Settings(drain_timeout="1h"))
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        ExeuntCallback.on_pod_completion(pod=pod(ended=False), client=SimpleNamespace(), mode="sync")
    assert "exeunt stops waiting for the proxy" in caplog.text
