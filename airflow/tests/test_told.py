"""What the user reads in the log of the task, and a loss that fails it: the real operator, and a pod whose agent tells a loss."""

import inspect
import json
import logging
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from exeunt_airflow import ExeuntCallback
from exeunt_airflow.settings import Settings
from fake_kubernetes.api_server import ApiServer
from fake_kubernetes.injector import Form
from fake_kubernetes.kubelet import Kubelet
from pods.model_pod import ModelPod
from real_airflow.hook_settings import use_settings
from real_airflow.operators import run_operator
from real_airflow.pauses import shorten_pauses
from real_airflow.scenario import Outcome, Runner, Scenario

TOLD = {"proxy": "gone", "route": "filter 127.0.0.1:15190", "drainMs": 15693, "limit": "stall-timeout", "advice": None}
LOST = json.dumps(TOLD | {"undelivered": {"connections": 1, "bytes": 1525700, "atLeast": False}})
CALLED_WHEN_DEFERRED = "on_pod_completion" in inspect.getsource(KubernetesPodOperator.trigger_reentry)
GOOD = json.dumps(TOLD | {"undelivered": {"connections": 0, "bytes": 0, "atLeast": False}, "limit": None})
LINE = "the proxy ended, 15693 ms after the task, by filter 127.0.0.1:15190: "


class Strict(ExeuntCallback):
    """As a user writes it."""

    fail_on_loss = True


def run(scenario: Scenario, verdict: str, folder: Path) -> Outcome:
    """Runs a task whose agent leaves this verdict."""
    with ApiServer() as api:
        kubelet = Kubelet(api, scenario.form, lambda pod: ModelPod(pod, verdict))
        try:
            return run_operator(scenario, api, folder)
        finally:
            kubelet.close()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Any:
    """What this package logs in the process of the task."""
    shorten_pauses(monkeypatch)
    caplog.set_level(logging.INFO, "exeunt_airflow")
    return lambda: [record.message for record in caplog.records if record.name == "exeunt_airflow"]


# Older providers call no callback when a deferrable task ends, but one when they have cleaned up.
@pytest.mark.parametrize("runner", ["operator", "deferrable"])
@pytest.mark.parametrize(
    ("form", "settings"), [("classic", Settings(proxy="keep", placement="native")), ("native", Settings(proxy="native"))]
)
@pytest.mark.parametrize(
    ("verdict", "kind", "task"), [(GOOD, Strict, "succeeds"), (LOST, ExeuntCallback, "succeeds"), (LOST, Strict, "fails")]
)
def test_one_line_tells_the_verdict(
    runner: Runner,
    form: Form,
    settings: Settings,
    verdict: str,
    kind: type,
    task: str,
    tmp_path: Path,
    logged: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_settings(monkeypatch, settings)
    options = {"on_finish_action": "keep_pod", "callbacks": kind}
    assert str(run(Scenario(runner, form, 0, options), verdict, tmp_path)) == f"{task}; kept, Succeeded"
    (line,) = logged()
    said = "everything was delivered" if verdict == GOOD else "1525700 bytes on 1 connections were not delivered (stall-timeout)"
    assert line.endswith(f": {LINE}{said}")


@pytest.mark.skipif(not CALLED_WHEN_DEFERRED, reason="this provider calls no callback when a deferrable task ends")
def test_a_loss_fails_the_task_after_its_pod_is_deleted(tmp_path: Path, logged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use_settings(monkeypatch, Settings(proxy="native"))
    options = {"on_finish_action": "delete_pod", "callbacks": Strict}
    assert str(run(Scenario("deferrable", "native", 0, options), LOST, tmp_path)) == "fails; deleted"
    assert len(logged()) == 1


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "\x1b[31m",
        "[" * 4000,
        '{"proxy": ["gone"]}',
        '{"proxy": "gone", "drainMs": 1, "route": "a\\nAll is well\\u001b[31m"}',
        "null",
    ],
)
def test_whatever_the_agent_leaves_the_task_succeeds_and_one_line_tells_it(
    hostile: str, tmp_path: Path, logged: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_settings(monkeypatch, Settings(proxy="native"))
    outcome = run(Scenario("operator", "native", 0, {"on_finish_action": "keep_pod", "callbacks": Strict}), hostile, tmp_path)
    assert outcome.task == "succeeds"
    (line,) = logged()
    assert line.isprintable()
