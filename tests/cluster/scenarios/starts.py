"""How a pod may start: with a task of milliseconds, with a task or an agent whose image comes late."""

from dataclasses import replace
from functools import partial

from .. import observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT as AGENT_NAME
from ..shape import PROXY, Agent, Istio, Shape, Task
from .common import AGENT, FORM, FORMS, MISSING_S, NO_IMAGE, PLACEMENTS, SMALL, outcome, supply_image_late, upload, upload_task

_LATE_START = ("--late-start", "5s")
_LATE_AGENTS: tuple[tuple[str, Istio], ...] = (("late-agent", "classic"), ("late-agent-hold", "hold"))
_SHORT: tuple[tuple[Istio, Agent], ...] = (
    ("classic", "native"),
    ("classic", "regular"),
    ("hold", "native"),
    ("native", "native"),
)


def _short(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, agent=agent, tasks=(Task(command=("true",)),)))
    run.wait_ended()
    # The task may end before Envoy has a listener; then there is no filter yet, and the route is another one.
    run.check_end(proxy=outcome(istio), route="")
    run.note(f"by {run.facts.verdict_field('route')}")


def _late_image(shape: Shape, run: ScenarioRun) -> None:
    run.patient = True
    late = _LATE_START if shape.agent == "regular" else ()
    run.start(replace(shape, tasks=(Task(upload(size=SMALL), image=NO_IMAGE),), agent_words=late), bare=True)
    run.wait("the proxy and the agent to run", lambda pod: all(observed.is_running(pod, name) for name in (PROXY, AGENT_NAME)))
    supply_image_late(run)
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy=outcome(shape.istio))
    run.check_delivered(SMALL)


def _start_agent_after_task(shape: Shape, run: ScenarioRun) -> None:
    """Starts the pod without the agent's image, and makes the image available after the end of the task."""
    run.patient = True
    run.start(shape, bare=True)
    run.wait_main_ended()
    run.patch_image(AGENT_NAME, run.site.where.agent_image)


def _late_agent(istio: Istio, run: ScenarioRun) -> None:
    tasks = upload_task(size=SMALL, rate=0)
    shape = Shape(istio=istio, agent="regular", tasks=tasks, agent_image=NO_IMAGE, agent_words=_LATE_START)
    _start_agent_after_task(shape, run)
    run.wait_received()
    run.check_keeps_waiting()
    run.check_delivered(SMALL)


SCENARIOS = (
    *(
        Scenario(
            f"late-image-{agent}",
            f"a task that starts {MISSING_S} s late, because of its image, still has its proxy, with {AGENT[agent]}",
            partial(_late_image, Shape(agent=agent)),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"late-image-behind-{istio}",
            f"the same, if a regular agent is listed behind the task, beside {FORM[istio]}",
            partial(_late_image, Shape(istio=istio, agent="regular", agent_last=True)),
        )
        for istio in FORMS
    ),
    *(
        Scenario(
            name,
            f"an agent that starts after the task's end, beside {FORM[istio]}, has no evidence: it keeps waiting and says so",
            partial(_late_agent, istio),
        )
        for name, istio in _LATE_AGENTS
    ),
    *(
        Scenario(
            f"short-{istio}-{agent}",
            f"a task of milliseconds ends its pod, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_short, istio, agent),
        )
        for istio, agent in _SHORT
    ),
)
