"""What a scenario makes of a verdict."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.play import Play
from harness.paths import ROOT

Json = dict[str, Any]

RECORDED: Json = json.loads((ROOT / "docs/cluster/istio-1.29.6.json").read_text())["results"][0]["facts"]["verdict"]


def looked(verdict: Json, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> Play:
    """A scenario that has looked at a pod whose agent has written this verdict."""
    end = {"exitCode": 0, "finishedAt": "2026-01-02T03:04:05Z", "message": json.dumps(verdict)}
    status = {"name": "exeunt", "restartCount": 0, "state": {"terminated": end}}
    pod = {"spec": {"containers": []}, "status": {"phase": "Succeeded", "containerStatuses": [status]}}
    monkeypatch.setattr(Play, "_pod", lambda _: pod)
    site: Any = SimpleNamespace(is_gone=lambda _: False)
    play = Play(site, "x")
    for _ in range(times):
        play.look()
    return play


def test_a_verdict_that_conforms_to_the_schema_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    play = looked(RECORDED, monkeypatch)
    assert (play.facts.verdict, play.problems) == (RECORDED, [])


def test_a_verdict_that_breaks_the_schema_is_a_problem_once(monkeypatch: pytest.MonkeyPatch) -> None:
    play = looked(RECORDED | {"drainMs": "soon"}, monkeypatch, times=2)
    assert play.problems != []
    assert all(problem.startswith("the verdict breaks its schema: drainMs: ") for problem in play.problems)
    assert len(set(play.problems)) == len(play.problems)
