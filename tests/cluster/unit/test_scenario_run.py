"""What a scenario observes of a verdict."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.errors import Refused, Skip
from cluster.options import Options
from cluster.scenario_run import ScenarioRun
from cluster.shape import Rule, Shape, Task, Where, three_lines

Json = dict[str, Any]

# As docs/verdict.schema.json has it.
VERDICT: Json = {
    "version": "0.1.0",
    "container": "base",
    "exitCode": 0,
    "signal": None,
    "exitStatus": "known",
    "action": "quit",
    "ended": "its process has ended",
    "decided": "istio-proxy is a regular container, by Envoy's node metadata",
    "proxy": "gone",
    "route": "filter 127.0.0.1:15190",
    "rungs": [{"route": "filter 127.0.0.1:15190", "outcome": "gone"}],
    "drainMs": 38,
    "telemetryMs": None,
    "lingerMs": 0,
    "undelivered": {"connections": 0, "bytes": 0, "atLeast": False},
    "limit": None,
    "advice": None,
    "helpers": [],
    "warnings": [],
}


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
    run = observed(VERDICT, monkeypatch)
    assert (run.facts.verdict, run.problems) == (VERDICT, [])


def test_a_verdict_that_breaks_the_schema_is_a_problem_once(monkeypatch: pytest.MonkeyPatch) -> None:
    run = observed(VERDICT | {"drainMs": "soon"}, monkeypatch, times=2)
    assert run.problems != []
    assert all(problem.startswith("the verdict breaks its schema: drainMs: ") for problem in run.problems)
    assert len(set(run.problems)) == len(run.problems)


TOLD_BY_KUBELET: Json = {
    "container": None,
    "exitCode": None,
    "signal": None,
    "exitStatus": "unknown",
    "action": "drain",
    "ended": "SIGTERM from kubelet",
    "proxy": "left",
    "route": "socket table",
}


def test_a_verdict_by_kubelets_word_names_no_container_and_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    def problems(**changes: Any) -> list[str]:
        run = observed(VERDICT | TOLD_BY_KUBELET | changes, monkeypatch)
        run.by_kubelet = True
        run.check_verdict(proxy="left", route="socket table")
        return run.problems

    assert problems() == []
    assert problems(container="base") == ["the verdict says container base, not None"]
    assert problems(ended="its process has ended") == ["the verdict says ended its process has ended, not SIGTERM from kubelet"]


def test_a_limit_has_its_advice(monkeypatch: pytest.MonkeyPatch) -> None:
    def problems(said: Json, limit: str | None, part: str) -> list[str]:
        run = observed(VERDICT | said, monkeypatch)
        run.check_limit(limit, part)
        return run.problems

    cut = {"limit": "grace-period", "advice": "raise the grace period"}
    assert problems(cut, "grace-period", "raise") == []
    assert problems({"limit": None, "advice": None}, None, "") == []
    assert problems(cut, "stall-timeout", "receiver") == [
        "the verdict says limit grace-period, not stall-timeout",
        "the verdict's advice is 'raise the grace period', without 'receiver'",
    ]
    assert problems({"limit": None, "advice": "raise it"}, None, "") == ["there was no limit, but the verdict advises: raise it"]


class Api:
    """An API server that answers a dry run with this object, or refuses it."""

    def __init__(self, answer: Json | Refused) -> None:
        self.answer = answer

    def create(self, _namespace: str, _body: Json, *, dry_run: bool) -> Json:
        """As in `Kube`."""
        assert dry_run
        if isinstance(self.answer, Refused):
            raise self.answer
        return self.answer


def need(shape: Shape, answer: Json | Refused) -> None:
    site: Any = SimpleNamespace(
        kube=Api(answer), namespace="own", where=Where("python", "agent"), forms={"native"}, native_agent=True
    )
    ScenarioRun(site, "x").need(shape)


def need_a_rule(answer: Json | Refused) -> None:
    need(three_lines(tasks=(Task(rule=Rule("RestartAllContainers", 3)),)), answer)


def test_a_rule_that_the_api_server_refuses_or_drops_skips_the_scenario() -> None:
    need_a_rule({"spec": {"containers": [{"name": "base", "restartPolicyRules": [{}]}]}})
    with pytest.raises(Skip, match="no rule RestartAllContainers: Unsupported value"):
        need_a_rule(Refused(422, "Unsupported value"))
    with pytest.raises(Skip, match="drops the field"):
        need_a_rule({"spec": {"containers": [{"name": "base"}]}})
    with pytest.raises(Refused):
        need_a_rule(Refused(403, "not allowed"))


def test_a_policy_of_the_agents_own_that_the_api_server_drops_skips_the_scenario() -> None:
    shape = Shape(istio="native", agent="regular", agent_policy="OnFailure")
    need(shape, {"spec": {"containers": [{"name": "exeunt", "restartPolicy": "OnFailure"}, {"name": "base"}]}})
    with pytest.raises(Skip, match="no restartPolicy of a regular container"):
        need(shape, {"spec": {"containers": [{"name": "exeunt"}, {"name": "base"}]}})


def test_a_policy_that_admits_no_root_task_skips_the_scenario() -> None:
    shape = three_lines(tasks=(Task(root=True),))
    need(shape, {})
    with pytest.raises(Skip, match="no root task with its usual rights: not allowed"):
        need(shape, Refused(403, "not allowed"))
    with pytest.raises(Refused):
        need(shape, Refused(500, "broken"))
    # Without such a task nothing is asked.
    need(three_lines(), Refused(403, "not allowed"))


def test_on_a_busy_node_a_limit_is_longer_and_no_wait_is_shorter() -> None:
    waited: list[float] = []

    def wait(_label: str, _what: str, _holds: Any, within: float, *, patient: bool) -> Json:
        assert not patient
        waited.append(within)
        return {}

    def problems(load: int, seconds: float | None) -> list[str]:
        site: Any = SimpleNamespace(options=Options(load=load), pods=SimpleNamespace(wait=wait))
        run = ScenarioRun(site, "x")
        run.wait("something", lambda _pod: True, within=10)
        run.check_within(seconds, 5, "it")
        return run.problems

    assert problems(0, 5) == []
    assert problems(0, 5.5) == ["it has taken 5.5 s, more than 5 s"]
    assert problems(20, 15) == []
    assert problems(20, 16) == ["it has taken 16 s, more than 15 s"]
    assert problems(20, None) == ["it has taken None s, more than 15 s"]
    assert waited == [10, 10, 30, 30, 30]
