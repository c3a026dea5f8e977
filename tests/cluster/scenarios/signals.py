"""Signals that are not what they seem: a stray SIGTERM, a kill of everything, a deletion with less time than the pod has."""

from dataclasses import replace
from functools import partial

from .. import observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT as AGENT_NAME
from ..shape import AGENT_UID, MAIN, Agent, Istio, Shape, Task, three_lines
from .common import AGENT, FORM, MB, NO_IMAGE, PLACEMENTS, SIZE, SMALL, WATCHING, outcome, upload

# The grace period that the agent is told, and how long the task works on after the stray signal before it uploads.
_GRACE_S = 5
_WORK_S = 10
# The pod's grace period, and that of its deletion.
_LONG_GRACE_S = 60
_DELETED_IN_S = 6
_HANGS_S = 120.0


def _outlived(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    killer = Task(("kill", "--signal", "TERM", "--delay", "1"), name="killer", uid=AGENT_UID, main=False)
    # At 1 MB/s the drain takes longer than the grace period.
    task = Task(upload("--after-kill", "--before", str(_WORK_S), rate=MB))
    run.start(Shape(istio=istio, agent=agent, grace_s=_GRACE_S, tasks=(task, killer)))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy=outcome(istio), route="")
    run.check_delivered(SIZE)
    run.check_limit(None)
    run.check_agent_restarts(0)


def _killed_all(shape: Shape, run: ScenarioRun) -> None:
    task = Task(("kill-all", "--delay", "2"), root=True)
    run.start(replace(shape, tasks=(task,)))
    run.wait_ended(_HANGS_S)
    run.observe()
    code = run.facts.exits.get(MAIN)
    run.check(code == 0, f"{MAIN} has exit code {code}, not 0")
    if not shape.shares:
        run.check_phase("Succeeded")
        run.check_verdict(proxy="left", route="")
        run.check_agent_restarts(0)
    run.note(f"the pod is {run.facts.phase}; exit codes {run.facts.exits}; restarts {run.facts.restarts}")


def _deleted_in_less(agent: Agent, run: ScenarioRun) -> None:
    task = Task(upload("--work", "600", "--linger", "600", rate=MB // 10, size=SMALL))
    run.start(Shape(agent=agent, grace_s=_LONG_GRACE_S, exit_on_zero=False, tasks=(task,)), bare=True)
    run.wait_until("the task to have written everything", lambda: '"written"' in run.log())
    run.delete_pod(grace_s=_DELETED_IN_S)
    run.wait_gone()
    run.observe()
    verdict = run.facts.verdict
    run.check(verdict is not None, f"{AGENT_NAME} has left no verdict")
    run.wait_received()
    run.facts.written = SMALL
    run.check_loss_is_reported()
    run.note(f"the verdict says proxy {run.facts.verdict_field('proxy')}, limit {run.facts.verdict_field('limit')}")


def _second_not_started(agent: Agent, run: ScenarioRun) -> None:
    run.patient = True
    second = Task(name="second", image=NO_IMAGE)
    run.start(Shape(agent=agent, tasks=(Task(upload(rate=MB)), second)), bare=True)
    run.wait_main_ended()
    run.wait("the second container to miss its image", lambda pod: "Image" in observed.waiting_reason(pod, "second"))
    run.delete_pod()
    run.wait_gone()
    run.wait_received()
    run.observe()
    run.check_delivered(SIZE)
    verdict = run.facts.verdict
    run.check(verdict is not None, f"{AGENT_NAME} has left no verdict")
    if agent == "regular":
        # A native agent gets SIGTERM when the proxy, a regular container, has ended by itself.
        drained = run.facts.verdict_field("drainMs")
        run.check(drained is not None, f"the agent has left without a drain; its verdict says {run.facts.verdict_field('proxy')}")
    run.note(f"the verdict says proxy {run.facts.verdict_field('proxy')}")


SCENARIOS = (
    *(
        Scenario(
            f"stray-outlived-{istio}-{agent}",
            f"a SIGTERM that the pod outlives takes nothing from the drain, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_outlived, istio, agent),
        )
        for istio, agent in WATCHING
    ),
    *(
        Scenario(
            f"kill-all-{istio}-{agent}",
            f"a root task that kills every process ends its pod, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_killed_all, Shape(istio=istio, agent=agent)),
        )
        for istio, agent in WATCHING
    ),
    Scenario(
        "kill-all-kubelet",
        "a root task that kills every process reaches no other container, if the pod shares no processes",
        partial(_killed_all, three_lines()),
    ),
    *(
        Scenario(
            f"deleted-sooner-{agent}",
            f"a pod that is deleted in {_DELETED_IN_S} s instead of {_LONG_GRACE_S} s has a verdict, with {AGENT[agent]}",
            partial(_deleted_in_less, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"deleted-second-missing-{agent}",
            f"a pod that is deleted while its second main container has no image delivers what the first one has sent, "
            f"with {AGENT[agent]}",
            partial(_second_not_started, agent),
        )
        for agent in PLACEMENTS
    ),
)
