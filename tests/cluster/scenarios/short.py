"""Tasks that end before the agent has looked: nothing may hang on the agent being quick."""

from functools import partial

from .. import messages, observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..several import each
from ..shape import AGENT as AGENT_NAME
from ..shape import AGENT_UID, MAIN, Agent, Istio, Shape, Task
from .common import AGENT, FORM, WATCHING, outcome

_PODS = 12
# For how long the agent does not run at all: the whole life of the task.
_FROZEN_S = 15
# The default of --late-start, after which a task that was never seen may count as over, and the time in which a pod ends then.
_LATE_START_S = 60
_ENDS_S = 5
_HANGS_S = 120.0
# The exit code of a container whose command does not exist.
_START_ERROR = 128
_BEHIND: tuple[Istio, ...] = ("classic", "native")
_TRUE = (Task(command=("true",)),)


def _end(run: ScenarioRun, istio: Istio, frozen_s: int = 0) -> None:
    run.wait_ended(_HANGS_S)
    run.check_end(proxy=outcome(istio), route="")
    run.check_within(run.facts.seconds_after, frozen_s + _LATE_START_S + _ENDS_S, "the end of the pod after its task")


def _many(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    def steps(part: ScenarioRun, shape: Shape) -> None:
        part.start(shape)
        _end(part, istio)

    shape = Shape(istio=istio, agent=agent, tasks=_TRUE)
    parts = each(run, ((f"{number:02}", shape) for number in range(_PODS)), steps)
    late = sorted(part.facts.seconds_after for part in parts if part.facts.seconds_after is not None)
    run.note(f"{len(late)} of {_PODS} pods have ended, {', '.join(map(str, late))} s after their tasks")


def _frozen(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    words = ("thaw", "--delay", str(_FROZEN_S), *(("--stay",) if agent == "native" else ()))
    # Kubelet starts the task when the hook has stopped the agent.
    freezer = Task(words, name="freezer", uid=AGENT_UID, main=False, post_start=("freeze",))
    if agent == "native":
        run.start(Shape(istio=istio, agent=agent, behind=(freezer,), tasks=_TRUE))
    else:
        run.start(Shape(istio=istio, agent=agent, tasks=(freezer, *_TRUE)))
    pod = run.wait("the task to end", lambda pod: observed.terminated(pod, MAIN) is not None)
    run.check(not observed.has_ended(pod), "the pod has ended with its task, so the agent was not stopped")
    _end(run, istio, _FROZEN_S)
    run.note(f"ended by: {run.facts.verdict_field('ended')}")


def _behind(istio: Istio, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, agent="regular", agent_last=True, tasks=_TRUE), bare=True)
    run.check_keeps_waiting()
    run.wait_until("the agent to name the remedy", lambda: messages.MAKE_FIRST in run.log(AGENT_NAME))


def _start_error(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, agent=agent, tasks=(Task(command=("/no/such/command",)),)))
    run.wait_ended(_HANGS_S)
    run.check_end(phase="Failed", main_exit=_START_ERROR, proxy=outcome(istio), route="")
    run.check_within(run.facts.seconds_after, _LATE_START_S + _ENDS_S, "the end of the pod after its task")


SCENARIOS = (
    *(
        Scenario(
            f"short-many-{istio}-{agent}",
            f"{_PODS} pods with a task of milliseconds all end, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_many, istio, agent),
        )
        for istio, agent in WATCHING
    ),
    *(
        Scenario(
            f"short-frozen-{istio}-{agent}",
            f"an agent that gets no CPU during the whole task ends its pod, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_frozen, istio, agent),
        )
        for istio, agent in WATCHING
    ),
    *(
        Scenario(
            f"short-behind-{istio}",
            f"a regular agent listed behind such a task has no evidence: it keeps waiting and says so, beside {FORM[istio]}",
            partial(_behind, istio),
        )
        for istio in _BEHIND
    ),
    *(
        Scenario(
            f"start-error-{istio}-{agent}",
            f"a task whose command does not exist fails its pod, and keeps nobody, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_start_error, istio, agent),
        )
        for istio, agent in WATCHING
    ),
)
