"""Every form of the proxy with every placement of the agent, and receivers that are slow, pause, or stop for ever."""

from functools import partial

from .. import messages, observed
from ..errors import Skip
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT as AGENT_NAME
from ..shape import MAIN, Agent, Istio, Shape
from .common import AGENT, FORM, FORMS, MB, PLACEMENTS, SIZE, SMALL, outcome, upload_task

_PAUSE_S = 8
# Longer than the plugin's default stallTimeout of 15 s.
_STALL_S = 45
# One such timeout, and some seconds for the end of the pod; a second one would be too long.
_ONE_STALL_S = 22
# Too short for everything to arrive.
_SHORT_GRACE_S = 5
_FORMS: tuple[Istio, ...] = ("classic", "native")


def _slow(istio: Istio, agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, agent=agent, tasks=upload_task()))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy=outcome(istio))
    run.check_delivered(SIZE)


def _ambient(agent: Agent, run: ScenarioRun) -> None:
    run.start(Shape(agent=agent, ambient=True, tasks=upload_task()))
    pod = run.wait("the task to start", lambda pod: observed.has_started(pod, MAIN))
    if not observed.is_ambient(pod):
        raise Skip("this cluster has no ambient mesh: the pod's traffic is not redirected to ztunnel")
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy="left", route=messages.BY_ZTUNNEL)
    run.check_delivered(SIZE)


def _pausing(istio: Istio, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, tasks=upload_task("--stall-at", str(MB), "--stall-for", str(_PAUSE_S), size=SMALL)))
    run.wait_ended()
    run.wait_received()
    run.check_end(proxy=outcome(istio))
    run.check_delivered(SMALL)


def _dead(istio: Istio, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, tasks=upload_task("--stall-at", str(MB), "--stall-for", str(_STALL_S), size=SMALL)))
    run.wait_ended()
    run.check_end(proxy=outcome(istio))
    run.check_limit(messages.STALL_TIMEOUT, "look at the receiver")
    run.check_within(run.facts.seconds_after, _ONE_STALL_S, "the end of the pod after its task")
    run.wait_received()
    run.check_incomplete(SMALL)
    run.check(run.facts.undelivered > 0, "the verdict does not say that bytes were lost")
    run.note(f"{run.facts.lost:,} bytes were lost; the verdict reports {run.facts.undelivered:,}")


def _short_grace(run: ScenarioRun) -> None:
    run.start(Shape(istio="native", grace_s=_SHORT_GRACE_S, tasks=upload_task(rate=MB)))
    run.wait_ended()
    run.observe()
    run.check_phase("Succeeded")
    code = run.facts.exits.get(AGENT_NAME)
    run.check(code == 0, f"the agent has exit code {code}, not 0")
    run.check_verdict(proxy="left", route="")
    run.wait_received()
    run.check_incomplete(SIZE)
    run.check_loss_is_reported()


SCENARIOS = (
    *(
        Scenario(
            f"slow-{istio}-{agent}",
            f"a slow upload arrives completely, beside {FORM[istio]}, with {AGENT[agent]}",
            partial(_slow, istio, agent),
        )
        for istio in FORMS
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"slow-ambient-{agent}",
            f"a slow upload arrives completely in an ambient mesh, with {AGENT[agent]}",
            partial(_ambient, agent),
        )
        for agent in PLACEMENTS
    ),
    *(
        Scenario(
            f"pause-{istio}",
            f"a receiver that pauses for {_PAUSE_S} s during the drain gets everything, beside {FORM[istio]}",
            partial(_pausing, istio),
        )
        for istio in _FORMS
    ),
    *(
        Scenario(
            f"dead-{istio}",
            f"a receiver that stops reading does not keep the pod, and the verdict says so, beside {FORM[istio]}",
            partial(_dead, istio),
        )
        for istio in _FORMS
    ),
    Scenario(
        "short-grace-native",
        "if kubelet's grace period is too short, the agent still writes its verdict, which reports the loss",
        _short_grace,
    ),
)
