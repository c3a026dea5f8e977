"""What may be missing or broken: the plugin, one of its routes, the agent in the middle of its work."""

from functools import partial
from typing import Literal

from ..play import Play
from ..pods import AGENT, AGENT_UID, Shape, Task
from ..scenario import Scenario
from .words import SIZE, upload, uploading


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


SCENARIOS = (
    Scenario(
        "route-annotation", "the signal goes to the listener of the annotation", partial(_route, "on", "filter 127.0.0.1:15190")
    ),
    Scenario(
        "route-service-entry",
        "the signal goes to the ServiceEntry's address where there is no annotation",
        partial(_route, "on", "filter 192.0.2.190:15190", listener=False),
    ),
    Scenario("no-plugin", "without the plugin the agent drains by itself, and everything arrives", partial(_route, "", "admin")),
    Scenario(
        "broken-plugin",
        "with a plugin that cannot be fetched the pod starts, and everything arrives",
        partial(_route, "broken", "admin"),
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
)
