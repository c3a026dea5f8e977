"""How a task may end: with a failure, after failures, beside a second main container, by its own signal, or in a wrapper."""

from functools import partial

from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import MAIN, Agent, Istio, Shape, Task
from .common import AGENT, FORM, FORMS, PAIRS, PLACEMENTS, RATE, SIZE, SMALL, outcome, upload, upload_task

_CODE = 3
AGENT_BINARY = "/scratch/exeunt-agent"


def _failure(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, agent=agent, tasks=upload_task("--exit", str(_CODE), size=SMALL)))
    run.wait_ended()
    run.wait_received()
    run.check_end(phase="Failed", main_exit=_CODE, proxy=outcome(istio))
    run.check_delivered(SMALL)
    code = run.facts.verdict_field("exitCode")
    run.check(code in (_CODE, None), f"the verdict says exit code {code}, not {_CODE}")


def _on_failure(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    task = Task(upload("--failures", "2", size=SMALL))
    run.start(Shape(istio=istio, agent=agent, policy="OnFailure", tasks=(task,)))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy=outcome(istio))
    run.check_delivered(SMALL)
    run.check(run.facts.restarts[MAIN] == 2, f"{MAIN} was restarted {run.facts.restarts[MAIN]} times, not twice")


def _two_main_containers(agent: Agent, run: ScenarioRun) -> None:
    first = Task(upload(size=SMALL))
    second = Task(upload("--work", "3", size=SMALL), name="second")
    run.start(Shape(agent=agent, tasks=(first, second)))
    run.wait_ended()
    run.wait_received()
    run.wait_received("second")
    run.check_end()
    run.check_delivered(2 * SMALL)


def _one_shot(rate: int, run: ScenarioRun) -> None:
    run.start(Shape(agent="none", tasks=upload_task("--complete", rate=rate)))
    run.wait_ended()
    run.wait_received()
    run.observe()
    run.check_phase("Succeeded")
    run.check_job("Complete")
    if rate == 0:
        run.check_delivered(SIZE)
    else:
        run.facts.written = SIZE
        run.note(f"{run.facts.lost:,} bytes are missing: without the agent nothing waits for bytes in the kernel")


def _script(run: ScenarioRun) -> None:
    script = f"python3 /e2e/task.py {' '.join(upload())}; code=$?; {AGENT_BINARY} complete --exit-code $code; exit $code"
    run.start(Shape(agent="none", unpacks_agent=True, tasks=(Task(command=("sh", "-c", script)),)))
    run.wait_ended()
    run.wait_received()
    run.observe_verdict_in_log()
    run.check_end()
    run.check_delivered(SIZE)


def _wrapped(istio: Istio, code: int, run: ScenarioRun) -> None:
    words = (AGENT_BINARY, "exec", "--log", "info", "--", "python3", "/e2e/task.py", *upload("--exit", str(code)))
    run.start(Shape(istio=istio, agent="none", unpacks_agent=True, tasks=(Task(command=words),)))
    run.wait_ended()
    run.wait_received()
    run.observe_verdict_in_log()
    run.check_end(phase="Failed" if code else "Succeeded", main_exit=code, proxy=outcome(istio))
    run.check_delivered(SIZE)


SCENARIOS = (
    *(
        Scenario(
            f"on-failure-{istio}-{agent}",
            f"a task that fails twice under OnFailure keeps its proxy, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_on_failure, istio, agent),
        )
        for istio, agent in PAIRS
    ),
    *(
        Scenario(
            f"failure-{istio}-{agent}",
            f"a failed task fails its pod and its Job, with its own exit code, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_failure, istio, agent),
        )
        for istio, agent in PAIRS
    ),
    *(
        Scenario(
            f"two-mains-{agent}",
            f"the proxy ends only after both of two main containers, with {AGENT[agent]}",
            partial(_two_main_containers, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"wrapped-{istio}",
            f"exeunt-agent exec around the command delivers everything, beside {FORM[istio]}",
            partial(_wrapped, istio, 0),
        )
        for istio in FORMS
    ),
    Scenario("wrapped-failure", "exeunt-agent exec exits with the code of its command", partial(_wrapped, "classic", _CODE)),
    Scenario("script", "exeunt-agent complete at the end of a script delivers everything", _script),
    Scenario("one-shot", "a task's own POST ends the proxy, without an agent in the pod", partial(_one_shot, 0)),
    Scenario(
        "one-shot-slow",
        "the same ends with a slow receiver, and the report says how many bytes arrived",
        partial(_one_shot, RATE),
    ),
)
