"""Playing the scenarios."""

import os
import signal
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.play import Play
from cluster.report import FAILED, PASSED, SKIPPED
from cluster.run import all_of
from cluster.scenario import Scenario
from cluster.scenarios import ALL
from cluster.site import Site
from cluster.trouble import Refused, Skip, Trouble


class Stage(SimpleNamespace):
    """A site on which nothing is made."""

    def __init__(self) -> None:
        super().__init__(stop=threading.Event(), options=SimpleNamespace(keep=False), namespace="own")

    def pod(self, _label: str) -> None:
        """There is none."""


def play(*scenarios: Scenario, parallel: int = 2) -> tuple[list[Any], bool, list[str]]:
    said: list[str] = []
    results, interrupted = all_of(list(scenarios), Stage(), parallel, said.append)  # type: ignore[arg-type]
    return results, interrupted, said


def raising(error: BaseException) -> Any:
    def scene(_play: Play) -> None:
        raise error

    return scene


def test_results_are_in_the_order_of_the_scenarios_whoever_ends_first() -> None:
    second_is_done = threading.Event()
    first = Scenario("first", "waits for the second", lambda _play: second_is_done.wait(10) and None)
    second = Scenario("second", "ends at once", lambda _play: second_is_done.set())
    results, interrupted, _ = play(first, second)
    assert [result.name for result in results] == ["first", "second"]
    assert not interrupted


def test_every_problem_is_named_and_one_is_enough_to_fail() -> None:
    def scene(play: Play) -> None:
        play.check(True, "fine")
        play.check(False, "one")
        play.check(False, "two")

    (result,), _, said = play(Scenario("bad", "is bad", scene))
    assert (result.outcome, result.why) == (FAILED, ["one", "two"])
    assert any("FAILED" in line for line in said)


@pytest.mark.parametrize(
    ("error", "outcome", "why"),
    [
        (Skip("not here"), SKIPPED, "not here"),
        (Trouble("waited in vain"), FAILED, "waited in vain"),
        (Refused(403, "forbidden"), FAILED, "the API server refuses: forbidden"),
    ],
)
def test_what_stops_a_scenario_is_its_reason(error: BaseException, outcome: str, why: str) -> None:
    (result,), _, _ = play(Scenario("x", "x", raising(error)))
    assert (result.outcome, result.why) == (outcome, [why])


def test_a_scenario_that_holds_has_passed_without_a_reason() -> None:
    (result,), _, _ = play(Scenario("x", "x", lambda _play: None))
    assert (result.outcome, result.why) == (PASSED, [])


def test_an_interrupt_gives_up_what_runs_and_keeps_what_is_done() -> None:
    def scene(play: Play) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        play.site.stop.wait(10)
        play.wait("nothing that comes", lambda _pod: True)

    scenarios = [Scenario("done", "is done", lambda _play: None), Scenario("long", "takes long", scene)]
    stage = Stage()
    stage.wait_pod = lambda *words, **more: Site.wait_pod(stage, *words, **more)  # type: ignore[arg-type]
    results, interrupted = all_of(scenarios, stage, 1, lambda _line: None)  # type: ignore[arg-type]
    assert interrupted
    assert [result.name for result in results] == ["done"]


def test_every_scenario_has_a_name_of_its_own_that_kubernetes_takes() -> None:
    names = [scenario.name for scenario in ALL]
    assert len(set(names)) == len(names)
    # The name of a Job becomes a label, of at most 63 characters, with eleven more for the pod's own name.
    assert all(name.replace("-", "").isalnum() and name == name.lower() and len(name) <= 52 for name in names)
