"""What a scenario observes of a verdict."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.scenario_run import ScenarioRun
from harness.paths import ROOT

Json = dict[str, Any]

RECORDED: Json = json.loads((ROOT / "docs/cluster/istio-1.29.6.json").read_text())["results"][0]["facts"]["verdict"]


def observed(verdict: Json, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> ScenarioRun:
    """A scenario that has observed a pod whose agent has written this verdict."""
    end = {"exitCode": 0, "finishedAt": "2026-01-02T03:04:05Z", "message": json.dumps(verdict)}
    status = {"name": "exeunt", "restartCount": 0, "state": {"terminated": end}}
    pod = {"spec": {"containers": []}, "status": {"phase": "Succeeded", "containerStatuses": [status]}}
    monkeypatch.setattr(ScenarioRun, "_pod", lambda _: pod)
    site: Any = SimpleNamespace(pods=SimpleNamespace(is_gone=lambda _: False))
    run = ScenarioRun(site, "x")
    for _ in range(times):
        run.observe()
    return run


def test_a_verdict_that_conforms_to_the_schema_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    run = observed(RECORDED, monkeypatch)
    assert (run.facts.verdict, run.problems) == (RECORDED, [])


def test_a_verdict_that_breaks_the_schema_is_a_problem_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = observed(RECORDED | {"drainMs": "soon"}, monkeypatch, times=2)
    assert run.problems != []
    assert all(problem.startswith("the verdict breaks its schema: drainMs: ") for problem in run.problems)
    assert len(set(run.problems)) == len(run.problems)
