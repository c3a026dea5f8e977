"""Every form of the proxy with every placement of the agent, and receivers that are slow, pause, or stop for ever."""

from functools import partial

from harness import messages

from .. import observed
from ..play import Play
from ..pods import AGENT as AGENT_NAME
from ..pods import MAIN, Agent, Istio, Shape
from ..scenario import Scenario
from ..trouble import Skip
from .words import AGENT, FORM, MB, SIZE, fate, uploading

# Little enough that the task has written all of it, and ended, before the receiver reads on.
_SMALL = 4 * MB
_PAUSE_S = 8
# Longer than the plugin's stallTimeout of 15 s.
_STALL_S = 45
# Too short for what is on its way.
_SHORT_GRACE_S = 5


def _slow(istio: Istio, agent: Agent, play: Play) -> None:
    play.start(Shape(istio=istio, agent=agent, tasks=uploading()))
    play.wait_ended()
    play.wait_received()
    play.check_end(proxy=fate(istio))
    play.check_delivered(SIZE)


def _ambient(agent: Agent, play: Play) -> None:
    play.start(Shape(agent=agent, ambient=True, tasks=uploading()))
    pod = play.wait("the task to have begun", lambda pod: observed.has_begun(pod, MAIN))
    if not observed.is_ambient(pod):
        raise Skip("there is no ambient mesh here: nobody redirects the pod's traffic to ztunnel")
    play.wait_ended()
    play.wait_received()
    play.check_end(proxy="left", route=messages.BY_ZTUNNEL)
    play.check_delivered(SIZE)


def _pausing(istio: Istio, play: Play) -> None:
    play.start(Shape(istio=istio, tasks=uploading("--stall-at", str(MB), "--stall-for", str(_PAUSE_S), size=_SMALL)))
    play.wait_ended()
    play.wait_received()
    play.check_end(proxy=fate(istio))
    play.check_delivered(_SMALL)


def _dead(istio: Istio, play: Play) -> None:
    play.start(Shape(istio=istio, tasks=uploading("--stall-at", str(MB), "--stall-for", str(_STALL_S), size=_SMALL)))
    play.wait_ended()
    play.check_end(proxy=fate(istio))
    play.wait_received()
    play.facts.written = _SMALL
    received, cut = play.facts.received or 0, (play.facts.verdict or {}).get("undelivered", {}).get("bytes", 0)
    play.check(received < _SMALL, f"all {_SMALL} bytes arrived, so nothing was stalled")
    play.check(cut > 0, "the verdict does not say that anything was cut off")
    play.note(f"{_SMALL - received:,} bytes were cut off; the verdict knows of {cut:,}")


def _short_grace(play: Play) -> None:
    play.start(Shape(istio="native", grace_s=_SHORT_GRACE_S, tasks=uploading(rate=MB)))
    play.wait_ended()
    play.look()
    play.check(play.facts.phase == "Succeeded", f"the pod is {play.facts.phase}, not Succeeded")
    play.check(play.facts.exits.get(AGENT_NAME) == 0, f"the agent has exit code {play.facts.exits.get(AGENT_NAME)}, not 0")
    play.check_verdict(proxy="left", route="")
    play.wait_received()
    play.facts.written = SIZE
    play.check((play.facts.received or 0) < SIZE, f"all {SIZE} bytes arrived, so nothing was cut off")
    play.check_loss_is_told()


SCENARIOS = (
    *(
        Scenario(
            f"slow-{istio}-{agent}",
            f"all of a slow upload arrives, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_slow, istio, agent),
        )
        for istio in FORM
        for agent in ("native", "regular")
    ),
    *(
        Scenario(
            f"slow-ambient-{agent}",
            f"all of a slow upload arrives in an ambient mesh, with {AGENT[agent]}",
            partial(_ambient, agent),
        )
        for agent in ("native", "regular")
    ),
    *(
        Scenario(
            f"pause-{istio}",
            f"a receiver that pauses for {_PAUSE_S} s in the drain gets everything, beside {FORM[istio]}",
            partial(_pausing, istio),
        )
        for istio in ("classic", "native")
    ),
    *(
        Scenario(
            f"dead-{istio}",
            f"a receiver that stops reading does not keep the pod, and the verdict says so, beside {FORM[istio]}",
            partial(_dead, istio),
        )
        for istio in ("classic", "native")
    ),
    Scenario(
        "short-grace-native",
        "where kubelet's grace period is too short for the rest, the verdict is there all the same, and tells",
        _short_grace,
    ),
)
