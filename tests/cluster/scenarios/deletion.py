"""A pod is deleted: by an orchestrator as soon as the main container has ended, or by a user at any time."""

from functools import partial

from .. import observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import MAIN, Agent, Istio, Shape, Task
from .common import AGENT, FORM, MB, PAIRS, SIZE, SMALL, upload, upload_task

# Slow enough that most of the upload is still in progress when the pod is deleted.
_RATE = MB


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
    task = Task(upload("--work", "600", rate=_RATE))
    run.start(Shape(istio=istio, agent=agent, exit_on_zero=exit_on_zero, tasks=(task,)), bare=True)
    run.wait_until("the task to have written everything", lambda: '"written"' in run.log())
    _delete_and_count(run, SIZE, complete=exit_on_zero)


def _ended(run: ScenarioRun) -> None:
    run.start(Shape(tasks=upload_task(rate=_RATE)), bare=True)
    run.wait_main_ended()
    _delete_and_count(run, SIZE, complete=True)


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
