"""A pod whose agent has an image that kubelet cannot get: the task's log names the cause."""

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.utils import pod_manager

from exeunt_airflow import agent_status, missing_image

AGENT = SimpleNamespace(name="exeunt", image="registry.example/agent:1")
BASE = SimpleNamespace(name="base", image="python")


def pod(reason: str | None, message: str | None = "not\nfound \x1b[31m", *, name: str = "exeunt", native: bool = True) -> Any:
    """A pod in which the container of this name waits for this reason."""
    waiting = None if reason is None else SimpleNamespace(reason=reason, message=message)
    statuses = [SimpleNamespace(name=name, state=SimpleNamespace(waiting=waiting, terminated=None))]
    return SimpleNamespace(
        metadata=SimpleNamespace(name="p", uid="u", namespace="jobs"),
        spec=SimpleNamespace(init_containers=[AGENT] if native else None, containers=[BASE] if native else [AGENT, BASE]),
        status=SimpleNamespace(
            init_container_statuses=statuses if native else None, container_statuses=None if native else statuses
        ),
    )


@pytest.mark.parametrize("native", [True, False])
def test_the_sentence_names_the_image_the_reason_and_what_to_do(native: bool) -> None:
    assert agent_status.missing_image(pod("ImagePullBackOff", native=native)) == (
        "pod p: kubelet cannot get the agent's image registry.example/agent:1 (ImagePullBackOff: not found  [31m). "
        "Correct [exeunt] image or image_pull_secrets; until then [exeunt] enabled = False makes pods without it"
    )
    assert "(ErrImagePull)." in (agent_status.missing_image(pod("ErrImagePull", None, native=native)) or "")


@pytest.mark.parametrize(("reason", "name"), [(None, "exeunt"), ("PodInitializing", "exeunt"), ("ErrImagePull", "base")])
def test_another_cause_is_not_the_agents(reason: str | None, name: str) -> None:
    assert agent_status.missing_image(pod(reason, name=name)) is None


def test_the_operator_tells_it_once_while_it_waits(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    manager = pod_manager.PodManager
    monkeypatch.setattr(manager, "read_pod", manager.read_pod)
    missing_image.tell_when_a_pod_is_read()
    once = manager.read_pod
    missing_image.tell_when_a_pod_is_read()
    assert manager.read_pod is once
    answers = [pod("ErrImagePull"), pod("ImagePullBackOff"), None, object()]
    client = SimpleNamespace(read_namespaced_pod=lambda *_: answers[0])
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        while answers:
            # Also what is no pod reaches the operator as it is.
            assert manager(kube_client=client).read_pod(pod(None)) is answers[0]  # type: ignore[arg-type]
            answers.pop(0)
    (line,) = [record.getMessage() for record in caplog.records if record.name == "exeunt_airflow"]
    assert "registry.example/agent:1 (ErrImagePull" in line
