"""A second pod beside that of a scenario, and what the containers of a pod have written."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from ..scenario_run import ScenarioRun
from ..shape import MAIN, Shape, Task

Json = dict[str, Any]


def outsider(*command: str, mesh: bool = False) -> Shape:
    """A pod without exeunt, with a proxy of its own or without."""
    return Shape(
        agent="none", inject=mesh, listener=False, drain="", exit_on_zero=False, grace_s=1, tasks=(Task(command=command),)
    )


@contextlib.contextmanager
def beside(run: ScenarioRun, name: str, shape: Shape) -> Iterator[ScenarioRun]:
    """A second pod, which is deleted at the end of the `with` block."""
    other = ScenarioRun(run.site, f"{run.name}-{name}")
    ended_well = False
    try:
        other.start(shape, bare=True)
        yield other
        ended_well = not run.problems
    finally:
        if not ended_well:
            other.collect_evidence()
            run.evidence |= {f"{name}, {what}": text for what, text in other.evidence.items()}
        other.clean_up()


def events(run: ScenarioRun, key: str, container: str = MAIN) -> list[Json]:
    """The lines of JSON with this key in the log of a container."""
    lines = [line for line in run.log(container).splitlines() if line.startswith("{")]
    return [event for event in map(json.loads, lines) if key in event]


def wait_event(run: ScenarioRun, key: str, container: str = MAIN) -> Json:
    """The first such line, when it is there."""
    run.wait_until(f"{container} to write {key!r}", lambda: bool(events(run, key, container)))
    return events(run, key, container)[0]


def address(run: ScenarioRun) -> str:
    """The pod's IP."""
    pod = run.wait("the pod to have an address", lambda pod: bool(pod["status"].get("podIP")))
    found = str(pod["status"]["podIP"])
    return f"[{found}]" if ":" in found else found
