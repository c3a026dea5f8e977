"""A classic proxy, or none, in a pod that does not share its processes: nobody tells the agent the end of the task."""

from functools import partial

from .. import messages, observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT as AGENT_NAME
from ..shape import MAIN, PROXY, Agent, Shape, Task
from .common import AGENT, PLACEMENTS, SIZE, upload_task

# The times are whole seconds of kubelet, and it has up to a second between two containers.
_AT_ONCE_S = 2
# Enough for the agent to ask Envoy.
_WORK_S = 12


def _refused(agent: Agent, run: ScenarioRun) -> None:
    # The task's own signal ends the proxy, so that the pod ends by itself unless the agent keeps it.
    run.start(Shape(agent=agent, sharing=False, tasks=upload_task("--complete", "--work", str(_WORK_S), rate=0)))
    run.wait_main_ended()
    pod = run.wait_ended()
    run.wait_received()
    run.observe()
    run.check_phase("Succeeded")
    run.check_job("Complete")
    run.check_delivered(SIZE)
    run.check_agent_exit(0)
    # An agent that does not know its placement asks Envoy for ten seconds, then leaves. Kubelet starts a native one again.
    restarts, most = run.facts.restarts.get(AGENT_NAME, 0), 1 if agent == "native" else 0
    run.check(restarts <= most, f"{AGENT_NAME} was restarted {restarts} times, more than {most}")
    _check_refusal(run)
    others = [end for name in (MAIN, PROXY) if (end := observed.finished_at(pod, name))]
    ended = observed.finished_at(pod, AGENT_NAME)
    late = (ended - max(others)).total_seconds() if ended and others else None
    run.check_within(late, _AT_ONCE_S, "the end of the agent after the task and the proxy")


def _check_refusal(run: ScenarioRun) -> None:
    proxy = run.facts.verdict_field("proxy")
    run.check(proxy == "untouched", f"the verdict says proxy {proxy}, not untouched")
    reasons = " ".join(one["reason"] for one in run.facts.verdict_field("refused") or [])
    run.check(messages.CANNOT_SEE in reasons, f"the agent does not say that it cannot see the end, but: {reasons}")
    for remedy in messages.REMEDIES:
        run.check(remedy in reasons, f"the agent does not name the remedy {remedy}, but: {reasons}")


def _no_proxy(agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(agent=agent, sharing=False, inject=False, tasks=(Task(command=("sleep", str(_WORK_S))),)))
    run.wait_ended()
    run.observe()
    run.check_phase("Succeeded")
    run.check_job("Complete")
    run.check_agent_exit(0)
    _check_refusal(run)
    late = run.facts.seconds_after
    run.check_within(late, _AT_ONCE_S, "the end of the pod after its task")


SCENARIOS = (
    *(
        Scenario(
            f"unshared-{agent}",
            f"beside a classic sidecar, with nothing shared, the agent names the remedies and keeps nobody, with {AGENT[agent]}",
            partial(_refused, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"unshared-no-proxy-{agent}",
            f"in a pod that gets no proxy, with nothing shared, the agent keeps nobody, with {AGENT[agent]}",
            partial(_no_proxy, agent),
        )
        for agent in PLACEMENTS
    ),
)
