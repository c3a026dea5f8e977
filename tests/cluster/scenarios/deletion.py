"""A pod is deleted: by an orchestrator as soon as the main container has ended, or by a user at any time."""

import time
from functools import partial

from .. import messages, observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT as AGENT_NAME
from ..shape import MAIN, Agent, Istio, Shape, Task, three_lines
from .common import AGENT, FORM, MB, PAIRS, SIZE, SMALL, upload, upload_task

# Slow enough that most of the upload is still in progress when the pod is deleted.
_RATE = MB
# How long a deleted task works on, and how long a pod may take that has nothing to deliver.
_LINGER_S = 6
_IDLE_S = 15.0


def _delete_and_count(run: ScenarioRun, written: int, *, complete: bool) -> None:
    run.delete_pod()
    run.wait_gone()
    run.wait_received()
    run.observe()
    if complete:
        run.check_delivered(written)
    else:
        run.facts.written = written
        run.check_loss_is_reported()
        run.note("here only Istio decides how much arrives; it may be less than everything")


def _running(istio: Istio, agent: Agent, exit_on_zero: bool, run: ScenarioRun) -> None:
    # Without shared processes the task is process 1 of its container, and ends by SIGTERM only if it handles it.
    linger = () if agent == "regular" or istio != "native" else ("--linger", str(_LINGER_S))
    task = Task(upload("--work", "600", *linger, rate=_RATE))
    run.start(Shape(istio=istio, agent=agent, exit_on_zero=exit_on_zero, tasks=(task,)), bare=True)
    run.wait_until("the task to have written everything", lambda: '"written"' in run.log())
    _delete_and_count(run, SIZE, complete=exit_on_zero)


def _ended(run: ScenarioRun) -> None:
    run.start(Shape(tasks=upload_task(rate=_RATE)), bare=True)
    run.wait_main_ended()
    _delete_and_count(run, SIZE, complete=True)


def _draining(run: ScenarioRun) -> None:
    run.start(three_lines(tasks=upload_task(rate=_RATE)), bare=True)
    run.wait_main_ended()
    _delete_and_count(run, SIZE, complete=True)
    run.check_verdict(proxy="left", route=messages.BY_SOCKETS)
    run.check_limit(None)
    run.check_agent_restarts(0)


def _not_started(run: ScenarioRun) -> None:
    run.patient = True
    run.start(three_lines(tasks=(Task(image="exeunt.invalid/nothing:1"),)), bare=True)
    run.wait("the agent to run", lambda pod: observed.is_running(pod, AGENT_NAME))
    run.wait("the task to wait for its image", lambda pod: observed.waiting_reason(pod, MAIN) != "PodInitializing")
    began = time.monotonic()
    run.delete_pod()
    run.wait_gone()
    took = time.monotonic() - began
    run.observe()
    run.check_agent_exit(0)
    run.check_verdict(proxy="left", route="")
    run.check_within(round(took, 1), _IDLE_S, "the end of a pod with nothing to deliver")
    run.note(f"gone after {took:.1f} s")


def _failed(run: ScenarioRun) -> None:
    run.start(Shape(policy="OnFailure", tasks=upload_task("--exit", "3", rate=_RATE, size=SMALL)), bare=True)
    # The first restart comes at once, the second after ten seconds: by then two attempts have written everything, and none runs.
    run.wait("the task to be between two attempts", lambda pod: observed.waiting_reason(pod, MAIN) == "CrashLoopBackOff")
    run.delete_pod()
    run.wait_gone()
    run.wait_received(attempts=2)
    run.observe()
    run.check_delivered(2 * SMALL)


SCENARIOS = (
    Scenario(
        "deleted-ended",
        "a pod that is deleted as soon as its task has ended, as Airflow does, delivers everything",
        _ended,
    ),
    Scenario(
        "deleted-draining-native",
        "the same with an agent of three lines: the deletion comes during its drain, and everything arrives",
        _draining,
    ),
    Scenario("deleted-not-started", "a pod that is deleted before its task has started is gone at once", _not_started),
    *(
        Scenario(
            f"deleted-running-{istio}-{agent}",
            f"a pod that is deleted while its task runs delivers what was written, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_running, istio, agent, True),
        )
        for istio, agent in PAIRS
    ),
    Scenario(
        "deleted-running-blind",
        "the same without EXIT_ON_ZERO_ACTIVE_CONNECTIONS: the proxy ends after five seconds, and the verdict reports the loss",
        partial(_running, "classic", "native", False),
    ),
    Scenario(
        "deleted-failed",
        "a pod under OnFailure that is deleted between two attempts delivers the bytes of both attempts, and ends",
        _failed,
    ),
)
