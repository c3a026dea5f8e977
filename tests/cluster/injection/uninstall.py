"""The end: what adds the agent is taken away while a Job runs. It runs alone, after all other scenarios."""

from .. import observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..scenarios.common import SIZE, upload
from ..shape import MAIN, Task
from .forms import FORMS
from .objects import ordinary
from .ordinary_run import CONTROL, check_as_before, check_injected, start

# Longer than the removal takes, in most cases.
_WORK_S = 20


def _uninstall(run: ScenarioRun) -> None:
    way = run.site.need_way()
    running = {istio: ScenarioRun(run.site, f"{run.name}-running-{istio}") for istio in FORMS}
    for istio, one in running.items():
        start(one, ordinary(istio, tasks=(Task(upload("--before", str(_WORK_S))),)))
    for one in running.values():
        one.wait("the task to run", lambda pod: observed.is_running(pod, MAIN))
    way.remove()
    way.wait_removed()
    after = {istio: ScenarioRun(run.site, f"{run.name}-{istio}") for istio in FORMS}
    for istio, one in after.items():
        start(one, ordinary(istio, tasks=CONTROL))
    for istio, one in running.items():
        one.wait_ended()
        one.wait_received()
        check_injected(one, istio)
        one.check_delivered(SIZE)
    for istio, one in after.items():
        check_as_before(one, istio)
    _take(run, [*running.values(), *after.values()])


def _take(run: ScenarioRun, parts: list[ScenarioRun]) -> None:
    """The findings of the parts become the scenario's; the parts are cleaned up."""
    run.facts.phase = f"{len(parts)} pods"
    for one in parts:
        run.problems += [f"{one.name}: {problem}" for problem in one.problems]
        run.facts.notes += [f"{one.name}: {note}" for note in one.facts.notes]
        if one.problems:
            one.collect_evidence()
            run.evidence |= {f"{one.name}, {name}": text for name, text in one.evidence.items()}
        one.clean_up()


SCENARIOS = (
    Scenario(
        "inject-uninstall",
        "after the removal the pods that run deliver everything, and those of the next Jobs are as before",
        _uninstall,
        injected=True,
        last=True,
    ),
)
