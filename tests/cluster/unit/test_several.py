"""Several pods in one scenario."""

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.errors import Interrupted, Refused, RunError
from cluster.options import Options
from cluster.scenario_run import ScenarioRun
from cluster.several import each
from cluster.shape import Shape


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> ScenarioRun:
    monkeypatch.setattr(ScenarioRun, "need", lambda *_: None)
    monkeypatch.setattr(ScenarioRun, "collect_evidence", lambda part: part.evidence.update(pod=part.name))
    site: Any = SimpleNamespace(options=Options(), stop=threading.Event())
    return ScenarioRun(site, "many")


def test_every_pod_takes_the_steps_under_a_name_of_its_own(run: ScenarioRun) -> None:
    taken: list[tuple[str, str]] = []
    parts = each(run, [("a", Shape(istio="native")), ("b", Shape())], lambda part, shape: taken.append((part.name, shape.istio)))
    assert sorted(taken) == [("many-a", "native"), ("many-b", "classic")]
    assert [part.name for part in parts] == ["many-a", "many-b"]
    assert run.facts.phase == "2 pods"
    assert run.problems == []


def test_the_problems_of_a_pod_are_the_scenarios_with_its_key(run: ScenarioRun) -> None:
    def steps(part: ScenarioRun, shape: Shape) -> None:
        part.check(shape.istio == "hold", "a check")
        if shape.istio == "native":
            raise RunError("waited too long")
        if shape.istio == "classic":
            raise Refused(403, "forbidden")

    each(run, [("a", Shape(istio="native")), ("b", Shape()), ("c", Shape(istio="hold"))], steps)
    assert run.problems == [
        "a: a check",
        "a: waited too long",
        "b: a check",
        "b: the API server refuses a request: forbidden",
    ]
    assert run.evidence == {"a, pod": "many-a", "b, pod": "many-b"}


def test_an_interrupt_stops_the_scenario(run: ScenarioRun) -> None:
    def steps(_part: ScenarioRun, _shape: Shape) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        each(run, [("a", Shape())], steps)


def test_after_an_interrupt_no_further_pod_is_started(run: ScenarioRun) -> None:
    begun: list[str] = []
    run.site.stop.set()
    with pytest.raises(Interrupted):
        each(run, [("a", Shape()), ("b", Shape())], lambda part, _shape: begun.append(part.name))
    assert begun == []
