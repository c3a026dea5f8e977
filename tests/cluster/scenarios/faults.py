"""What may be missing or broken: the plugin, one of its routes, the agent in the middle of its work."""

from functools import partial
from typing import Literal

from harness import messages

from ..play import Play
from ..pods import AGENT, AGENT_UID, MAIN, Shape, Task
from ..scenario import Scenario
from .words import MB, SIZE, upload, uploading

_SMALL = 4 * MB
# After the third, kubelet waits for 20 s: longer than an agent that takes the end for the first one's would.
_FAILURES = 3


def _route(drain: str, route: str, play: Play, *, listener: bool = True) -> None:
    play.start(Shape(drain=drain, listener=listener, tasks=uploading()))
    play.wait_ended()
    play.wait_received()
    play.check_end(route=route)
    play.check_delivered(SIZE)
    play.note(f"by {(play.facts.verdict or {}).get('route')}")


def _killed(agent: Literal["native", "regular"], when: Literal["working", "draining"], play: Play) -> None:
    words = ("kill-agent", "--after-end") if when == "draining" else ("kill-agent",)
    killer = Task(words, name="killer", uid=AGENT_UID, main=False)
    # A regular container that was killed comes back under OnFailure alone.
    policy: Literal["Never", "OnFailure"] = "Never" if agent == "native" else "OnFailure"
    play.start(Shape(agent=agent, policy=policy, tasks=(Task(upload("--work", "5" if when == "working" else "0")), killer)))
    play.wait_ended()
    play.wait_received()
    play.check_end()
    play.check_delivered(SIZE)
    restarts = play.facts.restarts.get(AGENT, 0)
    play.check(restarts >= 1, "the agent was not killed at all")


def _killed_between(agent: Literal["native", "regular"], play: Play) -> None:
    killer = Task(("kill-agent", "--after-end", "--attempts", str(_FAILURES)), name="killer", uid=AGENT_UID, main=False)
    task = Task(upload("--failures", str(_FAILURES), size=_SMALL))
    play.start(Shape(agent=agent, policy="OnFailure", tasks=(task, killer)))
    play.wait_ended()
    play.wait_received()
    play.check_end()
    play.check_delivered(_SMALL)
    play.check(play.facts.restarts.get(AGENT, 0) >= 1, "the agent was not killed at all")
    play.check(play.facts.restarts.get(MAIN, 0) == _FAILURES, f"the task was restarted {play.facts.restarts.get(MAIN)} times")


SCENARIOS = (
    Scenario(
        "route-annotation",
        "the signal goes to the listener of the annotation",
        partial(_route, "on", f"{messages.BY_FILTER} 127.0.0.1:15190"),
    ),
    Scenario(
        "route-service-entry",
        "the signal goes to the ServiceEntry's address where there is no annotation",
        partial(_route, "on", f"{messages.BY_FILTER} 192.0.2.190:15190", listener=False),
    ),
    Scenario(
        "no-plugin",
        "without the plugin the agent drains by itself, and everything arrives",
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
            f"an agent that is killed while {what}, as a {kind}, goes on where it was",
            partial(_killed, agent, when),
        )
        for agent, kind in (("native", "native sidecar"), ("regular", "regular container under OnFailure"))
        for when, what in (("working", "the task works"), ("draining", "the proxy drains"))
    ),
    *(
        Scenario(
            f"killed-between-{agent}",
            f"an agent that is killed between two attempts, as {kind}, keeps the proxy until the task has succeeded",
            partial(_killed_between, agent),
        )
        for agent, kind in (("native", "a native sidecar"), ("regular", "a regular container"))
    ),
)
