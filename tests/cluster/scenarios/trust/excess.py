"""Much more of something than any pod has. The agent has 16 MiB of memory, as the samples give it."""

from functools import partial

from ...errors import Skip
from ...scenario import Scenario
from ...scenario_run import ScenarioRun
from ...shape import Shape, Task
from ..common import SMALL, upload
from .attack import events, script, until_the_proxy_ends

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
    attack = f"intruder.py mounts {_MOUNTS} -- python3 /e2e/{_UPLOAD}"
    run.start(Shape(tasks=(Task(command=script(attack), root=True),)))
    run.wait_main_ended()
    for event in events(run, "refused"):
        raise Skip(f"a root task of this cluster gets {event['refused']}")
    _ends(run)
    size = sum(event["mountinfo"] for event in events(run, "mountinfo"))
    run.check(size >= _MOUNTINFO, f"the mounts have {size} bytes, so this scenario has tested little")
    run.note(f"{_MOUNTS} mounts, {size:,} bytes")


def _many(what: str, number: int, run: ScenarioRun) -> None:
    wait = "until [ -e /scratch/ready ]; do sleep 0.2; done"
    main = Task(command=("sh", "-c", f"{wait}; exec python3 /e2e/{_UPLOAD}"))
    helper = Task(name="helper", command=until_the_proxy_ends(f"intruder.py {what} {number}"), main=False)
    run.start(Shape(tasks=(main, helper)))
    _ends(run)
    reached = sum(event[what] for event in events(run, what, "helper"))
    run.check(reached == number, f"there were {reached} {what}, not {number}")
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
