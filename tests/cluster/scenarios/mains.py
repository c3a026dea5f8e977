"""Which containers are the task: several that nobody has named, helpers that never end by themselves, one that is late."""

import json
from functools import partial

from .. import observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT as AGENT_NAME
from ..shape import AGENT_UID, MAIN, PROXY, Agent, Fact, Shape, Task
from .common import AGENT, MISSING_S, NO_IMAGE, PLACEMENTS, SIZE, SMALL, supply_image_late, upload

_UNNAMED: frozenset[Fact] = frozenset({"policy"})
_LATE_START = ("--late-start", "5s")
# In this time the agent must have said that the named container is not there; it works that long at least.
_SAYS_IN_S = 20.0
_WORK_S = 30
_WRONG = "no-such-container"
_HANGS_S = 150.0
# When the agent's waiting is measured, and how much of a core it may cost then.
_AFTER_S = 60.0
_METER_S = 85
_MOST = 0.01


def _two_untold(agent: Agent, run: ScenarioRun) -> None:
    second = Task(upload("--before", "8"), name="second")
    run.start(Shape(agent=agent, told=_UNNAMED, tasks=(Task(("wait",)), second)))
    run.wait_ended()
    run.wait_received("second")
    run.check_end()
    run.check_delivered(SIZE)


def _helper(run: ScenarioRun) -> None:
    # Airflow's own helper, by its name. This one ends when it sees that the proxy has ended.
    helper = Task(("helper",), name="airflow-xcom-sidecar", main=False)
    run.start(Shape(told=_UNNAMED, tasks=(Task(upload(size=SMALL)), helper)))
    run.wait_ended()
    run.wait_received()
    run.check_end()
    run.check_delivered(SMALL)
    code = run.facts.exits.get(helper.name)
    run.check(code == 0, f"{helper.name} has exit code {code}, not 0: it has not seen the end of the proxy")


def _wrong_name(agent: Agent, run: ScenarioRun) -> None:
    task = Task(("wait", "--work", str(_WORK_S)))
    run.start(Shape(agent=agent, told=_UNNAMED, tasks=(task,), agent_words=("--container", _WRONG)))
    run.wait("the task to run", lambda pod: observed.is_running(pod, MAIN))
    run.wait_until("the agent to name what is there", lambda: bool(_said(run)), _SAYS_IN_S)
    run.note(f"the agent says: {_said(run)}")
    run.wait_ended(_HANGS_S)
    run.check_end(route="")


def _said(run: ScenarioRun) -> str:
    """The line of the agent's log that names both the wrong container and the one that is there."""
    lines = run.log(AGENT_NAME).splitlines()
    return next((line.strip() for line in lines if _WRONG in line and MAIN in line.replace(_WRONG, "")), "")


def _late_secretly_held(run: ScenarioRun) -> None:
    run.patient = True
    task = Task(upload(size=SMALL), image=NO_IMAGE)
    run.start_secretly_held(Shape(istio="hold", agent="regular", tasks=(task,), agent_words=_LATE_START))
    run.wait("the proxy to run", lambda pod: observed.is_running(pod, PROXY))
    run.wait("the agent to run", lambda pod: observed.is_running(pod, AGENT_NAME))
    supply_image_late(run)
    run.wait_ended()
    run.wait_received()
    run.check_end()
    run.check_delivered(SMALL)


def _idle_wait(agent: Agent, run: ScenarioRun) -> None:
    run.patient = True
    meter = Task(("meter", "--for", str(_METER_S)), name="meter", uid=AGENT_UID, main=False)
    run.start(Shape(agent=agent, tasks=(Task(("wait",), image=NO_IMAGE), meter)), bare=True)
    run.wait("the meter to end", lambda pod: observed.terminated(pod, "meter") is not None)
    lines = [json.loads(line) for line in run.log("meter").splitlines() if '"cpu"' in line]
    last = [line for line in lines if line["at"] - lines[0]["at"] >= _AFTER_S]
    share = (last[-1]["cpu"] - last[0]["cpu"]) / (last[-1]["at"] - last[0]["at"])
    run.check(share <= _MOST, f"the agent uses {share:.1%} of a core after {_AFTER_S:g} s of waiting, more than {_MOST:.0%}")
    run.note(f"{share:.2%} of a core, and {lines[-1]['cpu']:.2f} s of CPU in all")
    run.patch_image(MAIN, run.site.where.task_image)
    run.wait_ended()
    run.check_end(route="")


SCENARIOS = (
    *(
        Scenario(
            f"waiting-{agent}",
            f"an agent that waits for a task without an image uses at most {_MOST:.0%} of a core, with {AGENT[agent]}",
            partial(_idle_wait, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"wrong-name-{agent}",
            f"an agent that waits for a container that the pod does not have says what is there, and the pod ends, "
            f"with {AGENT[agent]}",
            partial(_wrong_name, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"two-untold-{agent}",
            f"of two containers that nobody has named both keep the proxy, with {AGENT[agent]}",
            partial(_two_untold, agent),
        )
        for agent in PLACEMENTS
    ),
    Scenario("helper-untold", "the proxy does not wait for Airflow's helper, which nobody has named", _helper),
    Scenario(
        "late-image-held",
        f"a task that starts {MISSING_S} s late has its proxy, which Istio's own setting holds, with a regular agent",
        _late_secretly_held,
    ),
)
