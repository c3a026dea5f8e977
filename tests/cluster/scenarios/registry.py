"""A registry that does not answer: pods start later, and nothing else changes."""

from functools import partial

from .. import messages, observed
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import MAIN, Istio, Shape, Task
from .common import FORM, SMALL, outcome, upload
from .second_pod import events

_FORMS: tuple[Istio, ...] = ("classic", "native")
# Istio gives a pull 30 s, and does not try again.
_DELAY_S = 45


def _silent(istio: Istio, run: ScenarioRun) -> None:
    run.start(Shape(istio=istio, drain="silent", tasks=(Task(upload(size=SMALL, rate=0)),)))
    pod = run.wait_ended()
    run.wait_received()
    run.check_end(proxy=outcome(istio), route=messages.BY_SOCKETS if istio == "native" else messages.BY_ADMIN)
    run.check_delivered(SMALL)
    started = observed.started_at(pod, MAIN)
    if started is None:
        return
    if istio == "native":
        seconds, what = (started - observed.created_at(pod)).total_seconds(), "the task has started {} s after its pod"
    else:
        # The task uploads as soon as it has a network, and the receiver reads at once.
        ended = events(run, "ended")[0]["ended"]
        seconds, what = ended - started.timestamp(), "the task was without network for {} s"
    run.check_within(seconds, _DELAY_S, "the start of the proxy")
    run.note(what.format(round(seconds)))


SCENARIOS = tuple(
    Scenario(
        f"registry-silent-{istio}",
        f"a registry that does not answer delays a pod, and its upload arrives completely, beside {FORM[istio]}",
        partial(_silent, istio),
    )
    for istio in _FORMS
)
