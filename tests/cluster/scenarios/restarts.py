"""Containers that kubelet starts again: by the pod's policy, by a container's own policy or rules, or all at once."""

from functools import partial

from .. import observed
from ..errors import Skip
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT as AGENT_NAME
from ..shape import AGENT_UID, MAIN, Agent, Fact, Istio, Rule, Shape, Task
from .common import AGENT, FORM, MISSING_S, NO_IMAGE, PAIRS, PLACEMENTS, SMALL, outcome, supply_image_late, upload

# The exit code of an attempt that must fail.
_FAILURE = 3
_RESTARTS = 2
# Linux before this release does not tell the agent an exit code.
_TELLS_EXIT = (6, 15, 3)
_ONLY_NAMES: frozenset[Fact] = frozenset({"containers"})


def _check_restarts(run: ScenarioRun, restarts: int) -> None:
    run.wait_ended()
    run.wait_received()
    run.check_delivered(SMALL)
    run.check_main_restarts(restarts)


def _rule(agent: Agent, told: bool, run: ScenarioRun) -> None:
    task = Task(upload("--failures", str(_RESTARTS), size=SMALL), rule=Rule("Restart", _FAILURE))
    run.start(Shape(agent=agent, tasks=(task,), **({} if told else {"told": _ONLY_NAMES})))
    run.wait_ended()
    run.check_end()
    _check_restarts(run, _RESTARTS)


def _restart_all(agent: Agent, run: ScenarioRun) -> None:
    task = Task(upload("--failures", "1", size=SMALL), rule=Rule("RestartAllContainers", _FAILURE))
    run.start(Shape(agent=agent, tasks=(task,)))
    run.wait_ended()
    run.observe()
    run.check_phase("Succeeded")
    run.check_job("Complete")
    run.check_verdict(proxy="gone", route="")
    run.check_agent_restarts(1)
    _check_restarts(run, 1)


def _untold(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    task = Task(upload("--failures", str(_RESTARTS), size=SMALL))
    run.start(Shape(istio=istio, agent=agent, policy="OnFailure", told=_ONLY_NAMES, tasks=(task,)))
    run.wait_ended()
    run.check_end(proxy=outcome(istio))
    _check_restarts(run, _RESTARTS)


def _slow_restart(run: ScenarioRun) -> None:
    if run.site.kernel < _TELLS_EXIT:
        raise Skip("the node's Linux is older than 6.15.3, and does not tell the agent that the task has failed")
    run.patient = True
    run.start(Shape(policy="OnFailure", tasks=(Task(upload("--failures", "2", size=SMALL)),)), bare=True)
    # Kubelet starts a container at once whose image changes while it runs; between two attempts it does not.
    run.wait("the task to be between two attempts", lambda pod: observed.waiting_reason(pod, MAIN) == "CrashLoopBackOff")
    run.patch_image(MAIN, NO_IMAGE)
    run.wait("kubelet to miss the image", lambda pod: "Image" in observed.waiting_reason(pod, MAIN))
    supply_image_late(run)
    run.wait_ended()
    run.wait_received()
    run.check_end()
    run.check_delivered(SMALL)


def _own_policy(istio: Istio, run: ScenarioRun) -> None:
    killer = Task(("kill", "--delay", "2"), name="killer", uid=AGENT_UID, main=False)
    task = Task(upload("--after-kill", "--work", "3", size=SMALL))
    run.start(Shape(istio=istio, agent="regular", agent_policy="OnFailure", tasks=(task, killer)))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy=outcome(istio))
    run.check_delivered(SMALL)
    run.check_agent_restarts(1)


SCENARIOS = (
    Scenario(
        "slow-restart",
        f"a task under OnFailure keeps its proxy while kubelet has no image for its next attempt, for {MISSING_S} s",
        _slow_restart,
    ),
    *(
        Scenario(
            f"on-failure-untold-{istio}-{agent}",
            f"an agent that is not told OnFailure sees that the task runs again, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_untold, istio, agent),
        )
        for istio, agent in (*PAIRS[:2], ("native", "regular"))
    ),
    *(
        Scenario(
            f"rule-restart-{agent}",
            f"a task that its own restart rule starts twice again keeps a classic proxy, with {AGENT[agent]}",
            partial(_rule, agent, True),
        )
        for agent in PLACEMENTS
    ),
    Scenario(
        "rule-restart-untold",
        "the same, and nobody has told the agent of the rule",
        partial(_rule, "native", False),
    ),
    *(
        Scenario(
            f"rule-restart-all-{agent}",
            f"after RestartAllContainers {AGENT_NAME} sees that the task runs again, beside a classic proxy, with {AGENT[agent]}",
            partial(_restart_all, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"own-policy-{istio}",
            f"a regular agent with its own restart policy OnFailure survives a SIGKILL, beside {FORM[istio]}",
            partial(_own_policy, istio),
        )
        for istio in ("classic", "native")
    ),
)
