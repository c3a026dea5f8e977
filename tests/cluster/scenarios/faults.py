"""What may be missing or broken: the plugin, one of its routes, or the agent in the middle of its work."""

from functools import partial
from typing import Literal

from .. import messages
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT, AGENT_UID, MAIN, Policy, Shape, Task
from .common import SIZE, SMALL, upload, upload_task

Placement = Literal["native", "regular"]
When = Literal["working", "draining"]

# After the third failure kubelet waits 20 s before the restart. An agent that has forgotten the earlier failures expects a
# shorter wait, and would end the proxy too early.
_FAILURES = 3

_PLACEMENTS: tuple[tuple[Placement, str], ...] = (("native", "a native sidecar"), ("regular", "a regular container"))
_WHEN: tuple[tuple[When, str], ...] = (("working", "the task works"), ("draining", "the proxy drains"))


def _route(drain: str, route: str, run: ScenarioRun, *, listener: bool = True) -> None:
    run.start(Shape(drain=drain, listener=listener, tasks=upload_task()))
    run.wait_ended()
    run.wait_received()
    run.check_end(route=route)
    run.check_delivered(SIZE)
    run.note(f"by {run.facts.verdict_field('route')}")


def _killed(agent: Placement, when: When, run: ScenarioRun) -> None:
    words = ("kill", "--after-end") if when == "draining" else ("kill",)
    killer = Task(words, name="killer", uid=AGENT_UID, main=False)
    # Kubelet restarts a killed regular container only under OnFailure.
    policy: Policy = "Never" if agent == "native" else "OnFailure"
    run.start(Shape(agent=agent, policy=policy, tasks=(Task(upload("--work", "5" if when == "working" else "0")), killer)))
    run.wait_ended()
    run.wait_received()
    run.check_end()
    run.check_delivered(SIZE)
    _check_agent_was_killed(run)


def _killed_between(agent: Placement, run: ScenarioRun) -> None:
    killer = Task(("kill", "--after-end", "--attempts", str(_FAILURES)), name="killer", uid=AGENT_UID, main=False)
    task = Task(upload("--failures", str(_FAILURES), size=SMALL))
    run.start(Shape(agent=agent, policy="OnFailure", tasks=(task, killer)))
    run.wait_ended()
    run.wait_received()
    run.check_end()
    run.check_delivered(SMALL)
    _check_agent_was_killed(run)
    restarts = run.facts.restarts.get(MAIN, 0)
    run.check(restarts == _FAILURES, f"the task was restarted {restarts} times, not {_FAILURES}")


def _check_agent_was_killed(run: ScenarioRun) -> None:
    run.check(run.facts.restarts.get(AGENT, 0) >= 1, "the agent was not killed, so this scenario has tested nothing")


SCENARIOS = (
    Scenario(
        "route-annotation",
        "the signal goes to the listener of the annotation",
        partial(_route, "on", f"{messages.BY_FILTER} 127.0.0.1:15190"),
    ),
    Scenario(
        "route-service-entry",
        "without the annotation the signal goes to the address of the ServiceEntry",
        partial(_route, "on", f"{messages.BY_FILTER} 192.0.2.190:15190", listener=False),
    ),
    Scenario(
        "no-plugin",
        "without the plugin the agent drains the proxy by itself, and everything arrives",
        partial(_route, "", messages.BY_ADMIN),
    ),
    Scenario(
        "broken-plugin",
        "with a plugin that cannot be fetched the pod starts, and everything arrives",
        partial(_route, "broken", messages.BY_ADMIN),
    ),
    *(
        Scenario(
            f"killed-{when}-{agent}",
            f"an agent that is killed while {what}, as {container}{policy}, continues its work",
            partial(_killed, agent, when),
        )
        for (agent, container), policy in zip(_PLACEMENTS, ("", " under OnFailure"), strict=True)
        for when, what in _WHEN
    ),
    *(
        Scenario(
            f"killed-between-{agent}",
            f"an agent that is killed between two attempts, as {container}, keeps the proxy until the task has succeeded",
            partial(_killed_between, agent),
        )
        for agent, container in _PLACEMENTS
    ),
)
