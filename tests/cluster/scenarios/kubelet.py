"""Kubelet tells the end of the task: a native agent of three lines behind a native proxy, in a pod that shares nothing."""

from functools import partial

from .. import messages
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT, MAIN, Rule, Shape, Task, three_lines
from .common import MB, SIZE, SMALL, upload, upload_task

_PAUSE_S = 8
_STALL_S = 45
# The exit code of a container whose command does not exist.
_START_ERROR = 128
_RESTARTS = 2
# The exit code of an attempt that must fail.
_FAILURE = 3


def _delivers(shape: Shape, written: int, run: ScenarioRun, *, route: str = messages.BY_SOCKETS) -> None:
    run.start(shape)
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy="left", route=route)
    run.check_delivered(written)
    run.check_limit(None)
    run.check_agent_restarts(0)


def _idle(run: ScenarioRun) -> None:
    run.start(three_lines())
    run.wait_ended()
    run.check_end(proxy="left", route="")
    run.check_limit(None)
    run.note(f"drained {run.facts.verdict_field('drainMs')} ms after SIGTERM")


def _dead(run: ScenarioRun) -> None:
    tasks = upload_task("--stall-at", str(MB), "--stall-for", str(_STALL_S), size=SMALL)
    run.start(three_lines(tasks=tasks))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy="left", route="")
    run.check_incomplete(SMALL)
    run.check_loss_is_reported()
    run.check_limit(messages.STALL_TIMEOUT, "look at the receiver")
    run.note(f"{run.facts.lost:,} bytes were lost; the verdict reports {run.facts.undelivered:,}")


def _start_error(run: ScenarioRun) -> None:
    run.start(three_lines(tasks=(Task(command=("/no/such/command",)),)))
    run.wait_ended()
    run.check_end(phase="Failed", main_exit=_START_ERROR, proxy="left", route="")
    run.check_limit(None)


def _on_failure(run: ScenarioRun) -> None:
    task = Task(upload("--failures", str(_RESTARTS), size=SMALL))
    _delivers(three_lines(policy="OnFailure", tasks=(task,)), SMALL, run)
    _check_task_restarts(run)


def _restart_rule(run: ScenarioRun) -> None:
    task = Task(upload("--failures", str(_RESTARTS), size=SMALL), rule=Rule("Restart", _FAILURE))
    _delivers(three_lines(tasks=(task,)), SMALL, run)
    _check_task_restarts(run)


def _check_task_restarts(run: ScenarioRun) -> None:
    restarts = run.facts.restarts.get(MAIN, 0)
    run.check(restarts == _RESTARTS, f"{MAIN} was restarted {restarts} times, not {_RESTARTS}")


def _restart_all(run: ScenarioRun) -> None:
    task = Task(upload("--failures", "1", "--late", size=SMALL), rule=Rule("RestartAllContainers", _FAILURE))
    run.start(three_lines(tasks=(task,)))
    run.wait_ended()
    run.wait_received(attempts=2)
    run.observe()
    run.check_phase("Succeeded")
    run.check_verdict(proxy="left", route=messages.BY_SOCKETS)
    run.check_delivered(2 * SMALL)
    run.check_agent_restarts(1)


def _three_main_containers(run: ScenarioRun) -> None:
    first = Task(("wait",))
    second = Task(("upload", "--bytes", str(SIZE), "--rate", str(2 * MB)), name="second")
    third = Task(("wait", "--work", "8"), name="third")
    run.start(three_lines(tasks=(first, second, third)))
    run.wait_ended()
    run.wait_received("second")
    run.check_end(proxy="left", route="")
    run.check_delivered(SIZE)
    run.check_limit(None)


def _shared(run: ScenarioRun) -> None:
    _delivers(Shape(istio="native", sharing=True, tasks=upload_task()), SIZE, run, route=messages.BY_FILTER)


SCENARIOS = (
    Scenario(
        "kubelet-dead",
        "a receiver that stops reading does not keep the pod, and the verdict names the limit, without the plugin",
        _dead,
    ),
    Scenario(
        "kubelet-pause",
        f"a receiver that pauses for {_PAUSE_S} s during the drain gets everything, without the plugin",
        partial(
            _delivers,
            three_lines(tasks=upload_task("--stall-at", str(MB), "--stall-for", str(_PAUSE_S), size=SMALL)),
            SMALL,
        ),
    ),
    Scenario(
        "kubelet-slow",
        f"a slow upload arrives completely with the three lines of {AGENT} alone: no plugin, no label, no option",
        partial(_delivers, three_lines(tasks=upload_task()), SIZE),
    ),
    Scenario(
        "kubelet-shared",
        "an agent that is told everything, in a pod that shares its processes, also waits for kubelet's word",
        _shared,
    ),
    Scenario("kubelet-on-failure", "a task that fails twice under OnFailure keeps its proxy, and the agent sleeps", _on_failure),
    Scenario("kubelet-restart-rule", "a task that its own restart rule starts twice again keeps its proxy", _restart_rule),
    Scenario("kubelet-restart-all", "before and after RestartAllContainers everything arrives", _restart_all),
    Scenario("kubelet-three-mains", "the drain begins after the last of three main containers", _three_main_containers),
    Scenario("kubelet-start-error", "a task whose command does not exist fails its pod, and keeps nobody", _start_error),
    Scenario("kubelet-idle", "a task that has sent nothing ends its pod at once", _idle),
)
