"""Pods that are deleted: what an orchestrator does as soon as the main container has ended, and a user at any time."""

from functools import partial

from .. import observed
from ..play import Play
from ..pods import MAIN, Agent, Istio, Shape, Task
from ..scenario import Scenario
from .words import AGENT, FORM, MB, SIZE, upload, uploading

# Slow enough that most of it is on its way when the pod is deleted.
_RATE = MB
_SMALL = 4 * MB


def _delete_and_count(play: Play, written: int, *, all_of_it: bool) -> None:
    play.delete_pod()
    play.wait_gone()
    play.wait_received()
    play.look()
    if all_of_it:
        play.check_delivered(written)
    else:
        play.facts.written = written
        play.check_loss_is_told()
        play.note("what arrives is Istio's own doing here, and may be less than all")


def _running(istio: Istio, agent: Agent, exit_on_zero: bool, play: Play) -> None:
    task = Task(upload("--work", "600", rate=_RATE))
    play.start(Shape(istio=istio, agent=agent, exit_on_zero=exit_on_zero, tasks=(task,)), bare=True)
    play.wait_until("the task to have written everything", lambda: '"written"' in play.log())
    _delete_and_count(play, SIZE, all_of_it=exit_on_zero)


def _ended(play: Play) -> None:
    play.start(Shape(tasks=uploading(rate=_RATE)), bare=True)
    play.wait("the task to end", lambda pod: observed.terminated(pod, MAIN) is not None)
    _delete_and_count(play, SIZE, all_of_it=True)


def _failed(play: Play) -> None:
    play.start(Shape(policy="OnFailure", tasks=uploading("--exit", "3", rate=_RATE, size=_SMALL)), bare=True)
    # The first restart comes at once, the second after ten seconds: two attempts have written everything, and none is running.
    play.wait("the task to be between two attempts", lambda pod: observed.waits(pod, MAIN) == "CrashLoopBackOff")
    play.delete_pod()
    play.wait_gone()
    play.wait_received(attempts=2)
    play.look()
    play.check_delivered(2 * _SMALL)


SCENARIOS = (
    Scenario(
        "deleted-ended", "a pod that is deleted as soon as its task has ended, as Airflow does it, delivers everything", _ended
    ),
    *(
        Scenario(
            f"deleted-running-{istio}-{agent}",
            f"a pod that is deleted while its task runs delivers what was written, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_running, istio, agent, True),
        )
        for istio, agent in (("classic", "native"), ("classic", "regular"), ("native", "native"))
    ),
    Scenario(
        "deleted-running-blind",
        "the same without EXIT_ON_ZERO_ACTIVE_CONNECTIONS ends, and the verdict tells what the proxy's five seconds cut off",
        partial(_running, "classic", "native", False),
    ),
    Scenario(
        "deleted-failed",
        "a pod under OnFailure that is deleted between two attempts delivers the bytes of both attempts and goes",
        _failed,
    ),
)
