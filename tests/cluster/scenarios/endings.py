"""How a task may end: with a failure, after failures, with another one beside it, by its own signal, or wrapped."""

from functools import partial

from ..play import Play
from ..pods import MAIN, Agent, Istio, Shape, Task
from ..scenario import Scenario
from .words import AGENT, FORM, MB, RATE, SIZE, fate, upload, uploading

_CODE = 3
_SMALL = 4 * MB
_AGENT_BINARY = "/scratch/exeunt-agent"


def _failure(istio: Istio, agent: Agent, play: Play) -> None:
    play.start(Shape(istio=istio, agent=agent, tasks=uploading("--exit", str(_CODE), size=_SMALL)))
    play.wait_ended()
    play.wait_received()
    play.check_end(phase="Failed", main_exit=_CODE, proxy=fate(istio))
    play.check_delivered(_SMALL)
    known = (play.facts.verdict or {}).get("exitCode")
    play.check(known in (_CODE, None), f"the verdict says exit code {known}, not {_CODE}")


def _on_failure(istio: Istio, agent: Agent, play: Play) -> None:
    task = Task(upload("--failures", "2", size=_SMALL))
    play.start(Shape(istio=istio, agent=agent, policy="OnFailure", tasks=(task,)))
    play.wait_ended()
    play.wait_received()
    play.check_end(proxy=fate(istio))
    play.check_delivered(_SMALL)
    play.check(play.facts.restarts[MAIN] == 2, f"{MAIN} was restarted {play.facts.restarts[MAIN]} times, not twice")


def _two_mains(agent: Agent, play: Play) -> None:
    first = Task(upload(size=_SMALL))
    second = Task(upload("--work", "3", size=_SMALL), name="second")
    play.start(Shape(agent=agent, tasks=(first, second)))
    play.wait_ended()
    play.wait_received()
    play.wait_received("second")
    play.check_end()
    play.check_delivered(2 * _SMALL)


def _one_shot(rate: int, play: Play) -> None:
    play.start(Shape(agent="none", tasks=uploading("--complete", rate=rate)))
    play.wait_ended()
    play.wait_received()
    play.look()
    play.check(play.facts.phase == "Succeeded", f"the pod is {play.facts.phase}, not Succeeded")
    play.check(play.facts.job == "Complete", f"the Job is {play.facts.job}, not Complete")
    if rate == 0:
        play.check_delivered(SIZE)
    else:
        play.facts.written = SIZE
        play.note(f"{SIZE - (play.facts.received or 0):,} bytes were missing; nobody lingers for what the kernel still holds")


def _script(play: Play) -> None:
    script = f"python3 /e2e/task.py {' '.join(upload())}; code=$?; {_AGENT_BINARY} complete --exit-code $code; exit $code"
    shape = Shape(agent="none", unpacks_agent=True, tasks=(Task(command=("sh", "-c", script)),))
    play.start(shape)
    play.wait_ended()
    play.wait_received()
    play.verdict_of_main()
    play.check_end()
    play.check_delivered(SIZE)


def _wrapped(istio: Istio, code: int, play: Play) -> None:
    words = (_AGENT_BINARY, "exec", "--log", "all", "--", "python3", "/e2e/task.py", *upload("--exit", str(code)))
    play.start(Shape(istio=istio, agent="none", unpacks_agent=True, tasks=(Task(command=words),)))
    play.wait_ended()
    play.wait_received()
    play.verdict_of_main()
    play.check_end(phase="Failed" if code else "Succeeded", main_exit=code, proxy=fate(istio))
    play.check_delivered(SIZE)


SCENARIOS = (
    *(
        Scenario(
            f"on-failure-{istio}-{agent}",
            f"a task that fails twice under OnFailure keeps its proxy, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_on_failure, istio, agent),
        )
        for istio, agent in (("classic", "native"), ("classic", "regular"), ("native", "native"))
    ),
    *(
        Scenario(
            f"failure-{istio}-{agent}",
            f"a failed task fails its pod and its Job, with its own exit code, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_failure, istio, agent),
        )
        for istio, agent in (("classic", "native"), ("classic", "regular"), ("native", "native"))
    ),
    *(
        Scenario(
            f"two-mains-{agent}",
            f"of two main containers the last one ends the proxy, with {AGENT[agent]}",
            partial(_two_mains, agent),
        )
        for agent in ("native", "regular")
    ),
    *(
        Scenario(
            f"wrapped-{istio}",
            f"exeunt-agent exec around the command delivers everything, beside {FORM[istio]}",
            partial(_wrapped, istio, 0),
        )
        for istio in FORM
    ),
    Scenario("wrapped-failure", "exeunt-agent exec ends with the exit code of its command", partial(_wrapped, "classic", _CODE)),
    Scenario("script", "exeunt-agent complete at the end of a script delivers everything", _script),
    Scenario("one-shot", "a task's own POST has the proxy leave, with nothing else of exeunt in the pod", partial(_one_shot, 0)),
    Scenario(
        "one-shot-slow",
        "the same ends with a receiver that does not keep up, and what arrives is told",
        partial(_one_shot, RATE),
    ),
)
