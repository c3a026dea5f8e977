"""The drain has the pod's grace period: by default 30 s, of which the agent uses 28 s."""

from .. import messages
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT, GRACE_S, MAIN, Task, three_lines
from .common import SMALL, upload, upload_task

# At this rate SMALL needs 40 s: longer than Kubernetes' default, shorter than _RAISED_S.
_RATE = 100_000
_RAISED_S = 300
# Shorter than the default that an agent assumes that is told nothing.
_LOWERED_S = 8
# How much of the grace period a deleted task uses.
_USED_S = 20
_KILLED = 137


def _default(run: ScenarioRun) -> None:
    run.start(three_lines(tasks=upload_task(size=SMALL, rate=_RATE)))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy="left", route="")
    run.check_incomplete(SMALL)
    run.check_loss_is_reported()
    run.check_limit(messages.GRACE_PERIOD, messages.RAISE_GRACE)
    drained = run.facts.verdict_field("drainMs") or 0
    run.check(drained <= GRACE_S * 1000, f"the agent has left after {drained} ms, when kubelet may have killed it")
    run.check_agent_exit(0)
    run.note(f"{run.facts.lost:,} bytes were lost; the verdict reports {run.facts.undelivered:,}")


def _raised(run: ScenarioRun) -> None:
    run.start(three_lines(grace_s=_RAISED_S, tasks=upload_task(size=SMALL, rate=_RATE)))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy="left", route=messages.BY_SOCKETS)
    run.check_delivered(SMALL)
    run.check_limit(None)


def _untold(run: ScenarioRun) -> None:
    run.start(three_lines(grace_s=_LOWERED_S, tells_grace=False, tasks=upload_task(size=SMALL, rate=_RATE)))
    run.wait_ended()
    run.observe()
    run.check_phase("Succeeded")
    _check_killed(run)


def _used_by_task(run: ScenarioRun) -> None:
    task = Task(upload("--work", "600", "--linger", str(_USED_S), size=SMALL, rate=_RATE))
    run.start(three_lines(tasks=(task,)), bare=True)
    run.wait_until("the task to have written everything", lambda: '"written"' in run.log())
    run.delete_pod()
    run.wait_gone()
    run.observe()
    code = run.facts.exits.get(MAIN)
    run.check(code == 143, f"{MAIN} has exit code {code}, not 143: it has not ended by itself within the grace period")
    _check_killed(run)


def _check_killed(run: ScenarioRun) -> None:
    """Kubelet has killed the agent, whose verdict is the one that it wrote while there was time."""
    run.check_agent_exit(_KILLED)
    # Kubelet kills the proxy at the same moment. An agent that has just seen that says so; then no limit was its own.
    proxy = str(run.facts.verdict_field("proxy"))
    run.check_verdict(proxy="gone" if proxy == "gone" else "draining", route="")
    run.wait_received()
    run.check_incomplete(SMALL)
    run.check(run.facts.undelivered > 0, "the verdict does not say how many bytes were undelivered")
    if proxy != "gone":
        run.check_limit(messages.GRACE_PERIOD, messages.RAISE_GRACE)
    run.note(f"{run.facts.lost:,} bytes were lost; the verdict reports {run.facts.undelivered:,}")


SCENARIOS = (
    Scenario(
        "grace-used",
        f"if a deleted task uses {_USED_S} s of the grace period, the verdict of the killed {AGENT} reports the loss",
        _used_by_task,
    ),
    Scenario("grace-raised", f"a receiver that needs 40 s gets everything in a grace period of {_RAISED_S} s", _raised),
    Scenario(
        "grace-default",
        f"in the default grace period of {GRACE_S} s the verdict names the limit, the loss and the cure",
        _default,
    ),
    Scenario(
        "grace-untold",
        f"an agent that is not told a grace period of {_LOWERED_S} s is killed, and its verdict reports the loss",
        _untold,
    ),
)
