"""The limits of a drain: without kubelet's word the grace period is none of them, and each limit is said in one place."""

from functools import partial

from .. import messages
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import Agent, Istio, Shape, Task
from .common import AGENT, FORM, MB, SMALL, WATCHING, outcome, slow_task, upload, upload_task
from .endings import AGENT_BINARY

_STALL_S = 45
# What the agent is told, and how much later it may have left.
_STALL_LIMIT_S = 5
_DRAIN_LIMIT_S = 10
_LATER_S = 4
# What kubelet may need besides, until it says that the last container has ended.
_KUBELET_S = 6
# Longer than the default stall timeout of 15 s, shorter than that of the plugin "patient".
_PAUSE_S = 25
# At this rate SMALL takes 20 s: longer than the drain timeout of the plugin "hasty".
_RATE = MB // 5
_IDLE_MS = 1000


def _long(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, agent=agent, tasks=slow_task()))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy=outcome(istio))
    run.check_delivered(SMALL)
    run.check_limit(None)


def _long_wrapped(run: ScenarioRun) -> None:
    words = (AGENT_BINARY, "exec", "--log", "info", "--", "python3", "/e2e/task.py", *slow_task()[0].words)
    run.start(Shape(agent="none", unpacks_agent=True, tasks=(Task(command=words),)))
    run.wait_ended()
    run.wait_received()
    run.observe_verdict_in_log()
    run.check_end()
    run.check_delivered(SMALL)


def _cut(run: ScenarioRun, limit: str, seconds: int) -> None:
    """A drain that this limit has ended, neither earlier nor later."""
    run.wait_ended()
    run.check_end(route="")
    run.wait_received()
    run.check_incomplete(SMALL)
    run.check_loss_is_reported()
    run.check_limit(limit)
    drained = (run.facts.verdict_field("drainMs") or 0) / 1000
    run.check(drained >= seconds, f"the drain has ended after {drained} s, before its limit of {seconds} s")
    run.check_within(drained, seconds + _LATER_S, "the drain")
    run.check_within(run.facts.seconds_after, seconds + _LATER_S + _KUBELET_S, "the end of the pod after its task")
    run.note(f"drained {drained} s, and {run.facts.verdict_field('lingerMs')} ms more until the kernel had sent the rest")


def _stall_told(run: ScenarioRun) -> None:
    tasks = upload_task("--stall-at", str(MB), "--stall-for", str(_STALL_S), size=SMALL)
    run.start(Shape(tasks=tasks, agent_words=("--stall-timeout", f"{_STALL_LIMIT_S}s")))
    _cut(run, messages.STALL_TIMEOUT, _STALL_LIMIT_S)


def _drain_told(run: ScenarioRun) -> None:
    run.start(Shape(tasks=slow_task(), agent_words=("--drain-timeout", f"{_DRAIN_LIMIT_S}s")))
    _cut(run, messages.DRAIN_TIMEOUT, _DRAIN_LIMIT_S)


def _plugin_told(run: ScenarioRun) -> None:
    task = Task(upload("--stall-at", str(MB), "--stall-for", str(_PAUSE_S), size=SMALL))
    run.start(Shape(drain="patient", tasks=(task,)))
    _delivered(run)


def _both_told(run: ScenarioRun) -> None:
    run.start(Shape(drain="hasty", tasks=upload_task(size=SMALL, rate=_RATE), agent_words=("--drain-timeout", "2m")))
    _delivered(run)


def _delivered(run: ScenarioRun) -> None:
    run.wait_ended()
    run.wait_received()
    run.check_end()
    run.check_delivered(SMALL)
    run.check_limit(None)


def _idle(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, agent=agent, drain="", listener=False))
    run.wait_ended()
    run.check_end(proxy=outcome(istio), route="")
    run.check_limit(None)
    drained = run.facts.verdict_field("drainMs")
    run.check_within(drained and drained / 1000, _IDLE_MS / 1000, "the end of an idle proxy")


SCENARIOS = (
    *(
        Scenario(
            f"long-{istio}-{agent}",
            f"a receiver that needs 40 s gets everything in the default grace period, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_long, istio, agent),
        )
        for istio, agent in WATCHING
    ),
    Scenario("long-wrapped", "the same with exeunt-agent exec around the command, beside a classic sidecar", _long_wrapped),
    Scenario(
        "limits-plugin",
        f"an agent that is told no limit follows the plugin's: a pause of {_PAUSE_S} s cuts nothing off",
        _plugin_told,
    ),
    Scenario("limits-both", "a limit that the agent is told counts, whatever the plugin says", _both_told),
    Scenario(
        "limits-drain",
        f"--drain-timeout {_DRAIN_LIMIT_S}s ends a drain by the filter after that time, and the verdict says so",
        _drain_told,
    ),
    Scenario(
        "limits-stall",
        f"--stall-timeout {_STALL_LIMIT_S}s ends a drain by the filter and the rest in one such time, and the verdict says so",
        _stall_told,
    ),
    *(
        Scenario(
            f"idle-{istio}-{agent}",
            f"without the plugin an idle pod ends within a second, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_idle, istio, agent),
        )
        for istio, agent in WATCHING
    ),
)
