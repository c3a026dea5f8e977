"""Mistakes of a user: no one keeps a pod, and each is named."""

from functools import partial

from .. import observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..several import each
from ..shape import AGENT as AGENT_NAME
from ..shape import MAIN, PROXY, Agent, Istio, Shape, Task, three_lines
from .common import AGENT, FORM, PLACEMENTS, SMALL, upload, upload_task
from .endings import AGENT_BINARY

# For each a key and the words.
_MISTAKES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("bare", ("--grace-period", "60")),
    ("zero-grace", ("--grace-period", "0s")),
    ("zero-drain", ("--drain-timeout", "0")),
    ("long-drain", ("--drain-timeout", "48h")),
    ("stall", ("--stall-timeout", "soon")),
    ("late", ("--late-start", "-1s")),
    ("unknown", ("--nonsense", "1")),
    ("placement", ("--placement", "beside")),
    ("policy", ("--restart-policy", "Sometimes")),
    ("rules", ("--restart-rules", "base=[")),
    ("wait", ("--restart-wait", "0.5.5s")),
    ("proxy", ("--proxy", "modern")),
    ("log", ("--log", "loud")),
    ("port", ("--signal-port", "99999")),
    ("address", ("--signal-address", "localhost")),
    ("container", ("--container", "Not_A_Name")),
    ("no-value", ("--stall-timeout",)),
)
# No mistakes, but they once kept a pod: a bare number means seconds, and a pod may have no grace period.
_ALLOWED = frozenset({"bare", "zero-grace"})
_ENVIRONMENT = (("EXEUNT_DRAIN_TIMEOUT", "48h"), ("EXEUNT_STALL_TIMEOUT", "soon"), ("EXEUNT_LATE_START", "-1s"))
_HANGS_S = 150.0
# How long the second container waits before its upload: long enough for the first one to call `complete`.
_SECOND_S = 8
# How `complete` exits that would take the proxy from a container that still runs (sysexits(3)).
_TEMPORARY = 75
_LEAVES_S = 120.0
_REMEDY = "restartPolicy"
_COMPLETE: tuple[tuple[Istio, str], ...] = (("classic", "refuses"), ("native", "ends nothing"))


def _mistake(part: ScenarioRun, shape: Shape) -> None:
    part.start(shape)
    part.wait_ended(_HANGS_S)
    part.wait_received()
    part.check_end(route="")
    part.check_delivered(SMALL)


def _mistakes(agent: Agent, run: ScenarioRun) -> None:
    def shape(words: tuple[str, ...]) -> Shape:
        return Shape(agent=agent, tasks=upload_task(size=SMALL), agent_words=words)

    def steps(part: ScenarioRun, made: Shape) -> None:
        key = part.name.removeprefix(f"{run.name}-")
        _mistake(part, made)
        if key not in _ALLOWED:
            option = made.agent_words[0]
            part.check(option in part.log(AGENT_NAME), f"the agent's log does not name {option}")

    each(run, ((key, shape(words)) for key, words in _MISTAKES), steps)
    run.note(f"{len(_MISTAKES)} pods: {', '.join(' '.join(words) for _, words in _MISTAKES)}")


def _in_environment(agent: Agent, run: ScenarioRun) -> None:
    shape = Shape(agent=agent, tasks=upload_task(size=SMALL), agent_env=_ENVIRONMENT)
    _mistake(run, shape)
    for name, _ in _ENVIRONMENT:
        run.check(name in run.log(AGENT_NAME), f"the agent's log does not name {name}")


def _wrapped(run: ScenarioRun) -> None:
    words = (AGENT_BINARY, "exec", "--drain-timeout", "48h", "--nonsense", "--log", "info", "--")
    task = Task(command=(*words, "python3", "/e2e/task.py", *upload(size=SMALL)))
    run.start(Shape(agent="none", unpacks_agent=True, tasks=(task,)))
    run.wait_ended(_HANGS_S)
    run.wait_received()
    run.observe_verdict_in_log()
    run.check_end(route="")
    run.check_delivered(SMALL)


def _stripped(istio: Istio, run: ScenarioRun) -> None:
    shape = three_lines(stripped=True) if istio == "native" else Shape(stripped=True)
    run.start(shape)
    pod = run.wait("the task to end", lambda pod: observed.terminated(pod, MAIN) is not None, _LEAVES_S)
    run.check(_REMEDY in run.log(AGENT_NAME), f"the agent's log does not name {_REMEDY}")
    if shape.istio == "native":
        pod = run.wait_ended()
        run.observe()
        run.check_phase("Succeeded")
        run.check_agent_exit(0)
    else:
        run.observe()
        run.check(observed.is_running(pod, PROXY), "the proxy has ended, although nobody was there to end it")
    code = run.facts.exits.get(MAIN)
    run.check(code == 0, f"{MAIN} has exit code {code}, not 0")
    started, left = observed.started_at(pod, MAIN), observed.finished_at(pod, AGENT_NAME)
    run.note(f"{AGENT_NAME} has ended at {left}, the task has started at {started}")


def _complete(istio: Istio, run: ScenarioRun) -> None:
    words = " ".join(("wait", "--work", "2"))
    # The first call comes too early; the last one comes when the second container has ended.
    again = f"{AGENT_BINARY} complete; echo first=$?; sleep {_SECOND_S}; until {AGENT_BINARY} complete; do sleep 3; done"
    first = Task(command=("sh", "-c", f"python3 /e2e/task.py {words}; {again}"))
    second = Task(upload("--before", str(_SECOND_S), size=SMALL), name="second")
    run.start(Shape(istio=istio, agent="none", unpacks_agent=True, sharing=True, tasks=(first, second)))
    run.wait_ended(_HANGS_S)
    run.wait_received("second")
    run.observe_verdict_in_log()
    run.observe()
    run.check_delivered(SMALL)
    codes = run.facts.exits
    run.check(codes.get("second") == 0, f"second has exit code {codes.get('second')}, not 0")
    if istio == "native":
        run.check_verdict(proxy="left", route="")
    else:
        run.check_verdict(proxy="gone", route="")
        log = run.log()
        run.check(f"first={_TEMPORARY}" in log, "complete has not refused beside a second container that runs")
        run.check("second" in log, "complete does not name the container that still runs")
        run.check("--force" in log, "complete does not name --force")
    restarts = run.facts.restarts.get(PROXY, 0)
    run.check(restarts == 0, f"{PROXY} was restarted {restarts} times: complete has ended it")


SCENARIOS = (
    *(
        Scenario(
            f"mistakes-{agent}",
            f"none of {len(_MISTAKES)} doubtful options keeps its pod, and each mistake is named, with {AGENT[agent]}",
            partial(_mistakes, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"complete-second-{istio}",
            f"exeunt-agent complete {does} while a second container runs, which keeps its proxy, beside {FORM[istio]}",
            partial(_complete, istio),
        )
        for istio, does in _COMPLETE
    ),
    Scenario(
        "mistakes-environment", "wrong values in the environment keep no pod, and are named", partial(_in_environment, "native")
    ),
    Scenario("mistakes-wrapped", "wrong options of exeunt-agent exec keep no pod", _wrapped),
    *(
        Scenario(
            f"stripped-{istio}",
            f"an agent whose restartPolicy was removed lets the task start, and says so, beside a {istio} proxy",
            partial(_stripped, istio),
        )
        for istio in ("native", "classic")
    ),
)
