"""Playing the scenarios, several at a time."""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from .play import Play
from .report import FAILED, PASSED, SKIPPED, Result
from .scenario import Scenario
from .site import Site
from .trouble import Interrupted, Refused, Skip, Trouble

# So often the main thread looks up, for an interrupt.
_LOOK_UP_S = 0.5


def all_of(scenarios: list[Scenario], site: Site, parallel: int, say: Callable[[str], None]) -> tuple[list[Result], bool]:
    """Plays them; the results in their order, and whether somebody has interrupted."""
    results: dict[str, Result] = {}
    interrupted = False
    with ThreadPoolExecutor(max_workers=parallel) as pool:
        pending = {pool.submit(_one, scenario, site) for scenario in scenarios}
        try:
            while pending:
                done, pending = wait(pending, timeout=_LOOK_UP_S, return_when=FIRST_COMPLETED)
                for future in done:
                    _take(future, results, len(scenarios), say)
        except KeyboardInterrupt:
            interrupted = True
            say("interrupted: what runs is given up, and cleaned up")
            site.stop.set()
            for future in pending:
                future.cancel()
    return [results[scenario.name] for scenario in scenarios if scenario.name in results], interrupted


def _take(future: Future[Result | None], results: dict[str, Result], number: int, say: Callable[[str], None]) -> None:
    result = future.result()
    if result is None:
        return
    results[result.name] = result
    mark = {PASSED: "ok     ", FAILED: "FAILED ", SKIPPED: "SKIPPED"}[result.outcome]
    say(f"[{len(results):2}/{number}] {mark} {result.name}: {result.sentence}: {result.seconds:.0f} s")
    for why in result.why:
        say(f"        {why}")


def _one(scenario: Scenario, site: Site) -> Result | None:
    """Plays one; `None` where it was given up."""
    if site.stop.is_set():
        return None
    began = time.monotonic()
    play = Play(site, scenario.name)
    why: list[str] = []
    skipped = False
    try:
        scenario.play(play)
    except Interrupted:
        return None
    except Skip as skip:
        why, skipped = [str(skip)], True
    except Trouble as trouble:
        why = list(trouble.lines)
    except Refused as refused:
        why = [f"the API server refuses: {refused}"]
    why += play.problems
    outcome = SKIPPED if skipped else FAILED if why else PASSED
    if outcome == FAILED:
        play.gather()
    try:
        play.clean_up()
    except Refused as refused:
        why.append(f"it could not be cleaned up: {refused}")
    return Result(scenario.name, scenario.sentence, outcome, why, time.monotonic() - began, play.facts, play.evidence)
