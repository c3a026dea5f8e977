"""Runs the scenarios, several at the same time."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from .errors import Interrupted, Refused, RunError, Skip
from .report import FAILED, PASSED, SKIPPED, Result
from .scenario import Scenario
from .scenario_run import ScenarioRun
from .site import Site

_Take = Callable[[Future[Result | None]], None]

# How often the main thread returns from a wait, so that it can handle an interrupt.
_POLL_S = 0.5


def run_all(scenarios: list[Scenario], site: Site, parallel: int, say: Callable[[str], None]) -> tuple[list[Result], bool]:
    """Runs the scenarios; returns the results in their order, and whether the user has interrupted the run."""
    results: dict[str, Result] = {}

    def take(future: Future[Result | None]) -> None:
        _take(future, results, len(scenarios), say)

    *_, interrupted = (
        _run_together(some, site, number, say, take)
        for some, number in (
            ([one for one in scenarios if not one.last], parallel),
            ([one for one in scenarios if one.last], 1),
        )
    )
    return [results[scenario.name] for scenario in scenarios if scenario.name in results], interrupted


def _run_together(scenarios: list[Scenario], site: Site, parallel: int, say: Callable[[str], None], take: _Take) -> bool:
    """Runs some of the scenarios; whether the user has interrupted the run, now or before."""
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        pending = {pool.submit(_run, scenario, site) for scenario in scenarios}
        try:
            while pending:
                done, pending = wait(pending, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    take(future)
        except KeyboardInterrupt:
            say("interrupted: the running scenarios are stopped and cleaned up")
            site.stop.set()
            for future in pending:
                future.cancel()
    return site.stop.is_set()


def _take(future: Future[Result | None], results: dict[str, Result], number: int, say: Callable[[str], None]) -> None:
    result = future.result()
    if result is None:
        return
    results[result.name] = result
    mark = {PASSED: "ok     ", FAILED: "FAILED ", SKIPPED: "SKIPPED"}[result.outcome]
    say(f"[{len(results):2}/{number}] {mark} {result.name}: {result.sentence}: {result.seconds:.0f} s")
    for why in result.why:
        say(f"        {why}")


def _run(scenario: Scenario, site: Site) -> Result | None:
    """Runs one scenario; returns `None` if it was stopped."""
    if site.stop.is_set():
        return None
    began = time.monotonic()
    run = ScenarioRun(site, scenario.name)
    why: list[str] = []
    skipped = False
    try:
        scenario.steps(run)
    except Interrupted:
        return None
    except Skip as skip:
        why, skipped = [str(skip)], True
    except RunError as error:
        why = list(error.lines)
    except Refused as refused:
        why = [f"the API server refuses a request: {refused}"]
    why += run.problems
    outcome = SKIPPED if skipped else FAILED if why else PASSED
    if outcome == FAILED:
        run.collect_evidence()
    try:
        run.clean_up()
    except Refused as refused:
        why.append(f"the clean-up failed: {refused}")
    return Result(scenario.name, scenario.sentence, outcome, why, time.monotonic() - began, run.facts, run.evidence)
