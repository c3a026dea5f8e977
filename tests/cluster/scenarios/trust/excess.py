"""Much more of something than any pod has. The agent has 16 MiB of memory, as the samples give it."""

from functools import partial

from ...errors import Skip
from ...scenario import Scenario
from ...scenario_run import ScenarioRun
from ...shape import Shape, Task
from ..common import SMALL, upload
from ..second_pod import events
from .attack import after_the_helper, script, until_the_proxy_ends

_UPLOAD = f"task.py {' '.join(upload(size=SMALL))}"
_MOUNTS = 6000
_PROCESSES = 3000
_CONNECTIONS = 10_000
# 41 MB of mounts, as the kernel writes them for the agent.
_MOUNTINFO = 40_000_000
_OK = 200


def _ends(run: ScenarioRun) -> None:
    run.wait_ended()
    run.wait_received()
    run.check_end(route="")
    run.check_delivered(SMALL)
    run.check_agent_restarts(0)


def _mounts(run: ScenarioRun) -> None:
    attack = ("python3", "/e2e/intruder.py", "mounts", str(_MOUNTS), "--", "python3", "/e2e/task.py", "helper")
    helper = Task(name="helper", command=attack, main=False, root=True)
    # The agent looks at the processes again when the task is started again.
    main = Task(command=after_the_helper(f"{_UPLOAD} --failures 1"))
    run.start(Shape(policy="OnFailure", tasks=(main, helper)))
    run.wait_until("the mounts", lambda: bool(events(run, "mountinfo", "helper") or events(run, "refused", "helper")))
    for event in events(run, "refused", "helper"):
        raise Skip(f"a root task of this cluster gets {event['refused']}")
    _ends(run)
    size = sum(event["mountinfo"] for event in events(run, "mountinfo", "helper"))
    run.check(size >= _MOUNTINFO, f"the mounts have {size} bytes, so this scenario has tested little")
    run.note(f"{_MOUNTS} mounts, {size:,} bytes")


def _many(what: str, number: int, run: ScenarioRun) -> None:
    main = Task(command=after_the_helper(_UPLOAD))
    helper = Task(name="helper", command=until_the_proxy_ends(f"intruder.py {what} {number}"), main=False)
    run.start(Shape(tasks=(main, helper)))
    _ends(run)
    reached = sum(event[what] for event in events(run, what, "helper"))
    if reached < number and not run.problems:
        raise Skip(f"this cluster allows a container no more than {reached} {what}")
    run.note(f"{reached:,} {what}; drained in {run.facts.verdict_field('drainMs')} ms")


def _absurd(run: ScenarioRun) -> None:
    run.start(Shape(tasks=(Task(command=script("intruder.py absurd", _UPLOAD)),)))
    _ends(run)
    answers = {event["absurd"]: event["status"] for event in events(run, "absurd")}
    run.check(bool(answers), "no request was sent")
    for name, status in answers.items():
        run.check(not _OK <= status < _OK + 100, f"the filter accepts a request: {name}: {status}")
    run.note(", ".join(f"{name}: {status or 'closed'}" for name, status in answers.items()))


SCENARIOS = (
    Scenario("trust-mounts", f"a task with {_MOUNTS:,} mounts of 41 MB does not make the agent run out of memory", _mounts),
    Scenario(
        "trust-processes",
        f"among {_PROCESSES:,} processes the agent sees the end of its task",
        partial(_many, "processes", _PROCESSES),
    ),
    Scenario(
        "trust-connections",
        f"with {_CONNECTIONS:,} open connections to the signal listener the pod ends",
        partial(_many, "connections", _CONNECTIONS),
    ),
    Scenario("trust-absurd", "oversized, deep and senseless requests to the filter change nothing", _absurd),
)
