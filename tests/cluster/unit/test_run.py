"""Running the scenarios."""

import os
import signal
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.errors import Refused, RunError, Skip
from cluster.options import Options
from cluster.report import FAILED, PASSED, SKIPPED
from cluster.run import run_all
from cluster.scenario import Scenario
from cluster.scenario_run import ScenarioRun
from cluster.scenarios import ALL
from cluster.watched_pods import WatchedPods


class FakeSite(SimpleNamespace):
    """A site without a cluster: it has no pods."""

    def __init__(self) -> None:
        stop = threading.Event()
        pods = WatchedPods(stop)
        super().__init__(stop=stop, pods=pods, options=Options(), namespace="own")


def run(*scenarios: Scenario, parallel: int = 2) -> tuple[list[Any], bool, list[str]]:
    said: list[str] = []
    results, interrupted = run_all(list(scenarios), FakeSite(), parallel, said.append)  # type: ignore[arg-type]
    return results, interrupted, said


def raising(error: BaseException) -> Any:
    def steps(_run: ScenarioRun) -> None:
        raise error

    return steps


def test_results_have_the_order_of_the_scenarios() -> None:
    second_is_done = threading.Event()

    def wait_for_second(_run: ScenarioRun) -> None:
        assert second_is_done.wait(10)

    first = Scenario("first", "waits for the second", wait_for_second)
    second = Scenario("second", "ends at once", lambda _run: second_is_done.set())
    results, interrupted, _ = run(first, second)
    assert [result.name for result in results] == ["first", "second"]
    assert not interrupted


def test_every_problem_is_named_and_one_is_enough_to_fail() -> None:
    def steps(run: ScenarioRun) -> None:
        run.check(True, "fine")
        run.check(False, "one")
        run.check(False, "two")

    (result,), _, said = run(Scenario("bad", "is bad", steps))
    assert (result.outcome, result.why) == (FAILED, ["one", "two"])
    assert any("FAILED" in line for line in said)


@pytest.mark.parametrize(
    ("error", "outcome", "why"),
    [
        (Skip("not here"), SKIPPED, "not here"),
        (RunError("waited too long"), FAILED, "waited too long"),
        (Refused(403, "forbidden"), FAILED, "the API server refuses a request: forbidden"),
    ],
)
def test_the_error_that_stops_a_scenario_is_its_reason(error: BaseException, outcome: str, why: str) -> None:
    (result,), _, _ = run(Scenario("x", "x", raising(error)))
    assert (result.outcome, result.why) == (outcome, [why])


def test_a_scenario_without_problems_has_passed_without_a_reason() -> None:
    (result,), _, _ = run(Scenario("x", "x", lambda _run: None))
    assert (result.outcome, result.why) == (PASSED, [])


def test_an_interrupt_stops_the_running_scenarios_and_keeps_the_results() -> None:
    def steps(run: ScenarioRun) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        run.site.stop.wait(10)
        run.wait("a pod that never comes", lambda _pod: True)

    scenarios = [Scenario("done", "is done", lambda _run: None), Scenario("long", "takes long", steps)]
    results, interrupted, _ = run(*scenarios, parallel=1)
    assert interrupted
    assert [result.name for result in results] == ["done"]


def test_every_scenario_has_a_unique_name_that_kubernetes_accepts() -> None:
    names = [scenario.name for scenario in ALL]
    assert len(set(names)) == len(names)
    # The name of a Job is also a label of at most 63 characters, and the pod's name is eleven characters longer.
    assert all(name.replace("-", "").isalnum() and name == name.lower() and len(name) <= 52 for name in names)
