"""What the scheduler log says of KubernetesExecutor's pods: its real watcher, and a pod whose agent tells a loss."""

import contextlib
import importlib
import json
import logging
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.jobs.job import Job
from airflow.listeners.listener import get_listener_manager
from airflow.providers.cncf.kubernetes.executors import kubernetes_executor_utils

from exeunt_airflow import followed_workers, plugin
from exeunt_airflow.settings import Settings
from fake_kubernetes.api_server import ApiServer
from fake_kubernetes.kubelet import Kubelet
from fake_kubernetes.store import Json
from pods.model_pod import ModelPod
from real_airflow.executor_watcher import run_worker
from real_airflow.hook_settings import use_settings

UNDELIVERED = {"connections": 1, "bytes": 1525700, "atLeast": False}
LOST = json.dumps({"proxy": "left", "route": "driver", "drainMs": 9, "limit": "stall-timeout", "undelivered": UNDELIVERED})


@pytest.fixture
def watcher(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The class of the watcher, which is as Airflow has it before and after the test."""
    kind = kubernetes_executor_utils.KubernetesJobWatcher
    monkeypatch.setattr(kind, "process_status", kind.process_status)
    return kind


def installed_plugin() -> Any:
    """What Airflow finds by the entry point of the package."""
    project = tomllib.loads((Path(__file__).resolve().parents[1] / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["airflow.plugins"]["exeunt"].partition(":")
    return getattr(importlib.import_module(module), name)


@contextlib.contextmanager
def listening(monkeypatch: pytest.MonkeyPatch, verb: str) -> Iterator[None]:
    """Airflow's own manager has the listener, as in the process of this verb."""
    monkeypatch.setattr(sys, "argv", ["/usr/bin/airflow", verb])
    manager = get_listener_manager()
    (listener,) = installed_plugin().listeners
    manager.add_listener(listener)
    try:
        yield
    finally:
        manager.pm.unregister(listener)


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "exeunt_airflow"]


def run(caplog: pytest.LogCaptureFixture, verdict: str) -> tuple[str, list[str]]:
    """Runs a worker. Returns the name of its pod, and the lines that exeunt logs."""
    with ApiServer() as api, caplog.at_level(logging.INFO, "exeunt_airflow"):
        kubelet = Kubelet(api, "native", lambda pod: ModelPod(pod, verdict))
        try:
            assert str(run_worker(api)) == "as the worker reported; ends Succeeded"
        finally:
            kubelet.close()
        (pod,) = api.store.all("pods")
        return pod["metadata"]["name"], told(caplog)


@pytest.mark.usefixtures("watcher")
def test_the_schedulers_log_has_the_verdict_of_a_worker_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_settings(monkeypatch, Settings(proxy="native"))
    # Airflow tells its listeners of a scheduler when it makes the scheduler's job. A second one changes nothing.
    with listening(monkeypatch, "scheduler"):
        Job()
        Job()
    name, lines = run(caplog, LOST)
    sentence = "the proxy was drained, and kubelet ends it, 9 ms after the task, by driver: "
    assert lines == [f"pod {name}: {sentence}1525700 bytes on 1 connections were not delivered (stall-timeout)"]


@pytest.mark.usefixtures("watcher")
@pytest.mark.parametrize("hostile", ["", "\x1b[31m", "[" * 4000, '{"proxy": ["gone"]}', "null"])
def test_whatever_the_agent_leaves_the_watcher_reports_the_pod(
    hostile: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    use_settings(monkeypatch, Settings(proxy="native"))
    followed_workers.tell_verdicts()
    _, (line,) = run(caplog, hostile)
    assert "exeunt left no verdict in pod" in line


@pytest.mark.parametrize(
    ("verb", "make", "settings"),
    [
        ("triggerer", Job, Settings()),
        ("scheduler", None, Settings()),
        ("scheduler", Job, Settings(enabled=False)),
        ("scheduler", Job, None),
    ],
)
def test_every_other_process_and_a_scheduler_without_exeunt_stay_as_they_are(
    verb: str, make: Any, settings: Settings | None, watcher: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = watcher.process_status
    monkeypatch.setattr(plugin, "settings_or_none", lambda: settings)
    with listening(monkeypatch, verb):
        if make is None:
            # A task that starts is a component, too.
            get_listener_manager().hook.on_starting(component=object())
        else:
            make()
    assert watcher.process_status is before


def test_an_unknown_watcher_stays_as_it_is_and_one_line_says_so(
    watcher: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def before(self: Any, task: Any) -> None:
        """A method that takes no event."""

    monkeypatch.setattr(watcher, "process_status", before)
    with caplog.at_level(logging.WARNING, "exeunt_airflow"):
        followed_workers.tell_verdicts()
    assert watcher.process_status is before
    assert told(caplog) == ["exeunt does not know this KubernetesJobWatcher.process_status: the scheduler's log has no verdicts"]


def test_it_makes_no_call_of_its_own(watcher: Any) -> None:
    followed_workers.tell_verdicts()
    queue: list[Any] = []
    process = watcher("jobs", SimpleNamespace(put=queue.append), "0", "7", SimpleNamespace())
    pod: Json = {"uid": "u", "name": "p", "labels": {}, "deletion_timestamp": None}
    ended = SimpleNamespace(message=LOST, exit_code=0, reason="Completed")
    agent = SimpleNamespace(name="exeunt", state=SimpleNamespace(terminated=ended, waiting=None))
    status = SimpleNamespace(phase="Succeeded", init_container_statuses=[agent], container_statuses=[])
    event = {"type": "MODIFIED", "object": SimpleNamespace(metadata=SimpleNamespace(**pod), status=status)}
    # There is no API server, so a call would fail.
    process.process_status(pod_name="p", namespace="jobs", status="Succeeded", annotations={}, resource_version="1", event=event)
    assert len(queue) == 1
