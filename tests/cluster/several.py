"""Several pods in one scenario: for what shows only now and then, and for many small variants of one pod."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from .errors import Interrupted, Refused, RunError
from .scenario_run import ScenarioRun
from .shape import Shape

# How many of them exist at the same time.
_AT_ONCE = 4


def each(run: ScenarioRun, shapes: Iterable[tuple[str, Shape]], steps: Callable[[ScenarioRun, Shape], None]) -> list[ScenarioRun]:
    """Takes the steps with a pod of each shape; its problems become the scenario's, with the key of the shape."""
    named = list(shapes)
    for _, shape in named:
        run.need(shape)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        parts = list(pool.map(lambda one: _part(run, *one, steps), named))
    run.facts.phase = f"{len(parts)} pods"
    for (key, _), part in zip(named, parts, strict=True):
        run.problems += [f"{key}: {problem}" for problem in part.problems]
        run.evidence |= {f"{key}, {name}": text for name, text in part.evidence.items()}
    return parts


def _part(run: ScenarioRun, key: str, shape: Shape, steps: Callable[[ScenarioRun, Shape], None]) -> ScenarioRun:
    # After an interrupt those that have not begun would still create their pods.
    if run.site.stop.is_set():
        raise Interrupted
    part = ScenarioRun(run.site, f"{run.name}-{key}")
    try:
        steps(part, shape)
    except RunError as error:
        part.problems += error.lines
    except Refused as refused:
        part.problems.append(f"the API server refuses a request: {refused}")
    if part.problems:
        part.collect_evidence()
    part.clean_up()
    return part
