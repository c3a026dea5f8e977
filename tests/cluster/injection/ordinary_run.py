"""What the scenarios of ordinary pods do and check."""

from typing import Any

from .. import messages, pods
from ..scenario_run import ScenarioRun
from ..scenarios.common import RATE, SIZE, check_proxy_stays, outcome, upload_task
from ..shape import AGENT, Istio, Shape
from .way import has_agent

Json = dict[str, Any]

DRAIN = "exeunt.dev/drain"
# Without exeunt a native proxy ends five seconds after SIGTERM. This upload takes twelve, so that it cannot arrive in time.
CONTROL = upload_task(rate=RATE // 2)


def start(run: ScenarioRun, shape: Shape, *, bare: bool = False) -> None:
    """Starts the pod, in a Job or bare."""
    make = pods.pod if bare else pods.job
    run.need(shape)
    run.main_containers = [task.name for task in shape.tasks]
    start_body(run, make(run.name, shape, run.site.where))


def start_body(run: ScenarioRun, body: Json) -> None:
    """Creates the Job or the pod."""
    run.in_job = body["kind"] == "Job"
    run.create(body)


def check_injected(
    run: ScenarioRun,
    istio: Istio,
    *,
    phase: str = "Succeeded",
    main_exit: int = 0,
    route: str = messages.BY_FILTER,
    watches: bool = False,
) -> None:
    """What must hold of an ordinary pod that got the agent, and has ended. `watches`: it shares its processes in any case."""
    watches = watches or istio != "native"
    run.by_kubelet = not watches
    run.check_end(phase=phase, main_exit=main_exit, proxy=outcome(istio), route=route)
    pod = run.wait("the pod's state", lambda _pod: True)
    check_given(run, pod)
    shares = bool(pod["spec"].get("shareProcessNamespace"))
    run.check(shares == watches, f"shareProcessNamespace is {shares} beside a {istio} proxy")


def check_given(run: ScenarioRun, pod: Json, *, given: bool = True) -> None:
    """Whether the pod got the agent and its label."""
    run.check(has_agent(pod) == given, f"the pod has {'no' if given else 'the'} container {AGENT}")
    label = pod["metadata"]["labels"].get(DRAIN)
    run.check(not given or label == "on", f"the label {DRAIN} is {label}, not on")


def check_as_before(run: ScenarioRun, istio: Istio) -> None:
    """Waits for what a pod without exeunt does at the end of its upload: a classic proxy stays, a native one loses bytes."""
    run.wait_main_ended()
    pod = run.wait("the pod's state", lambda _pod: True)
    check_given(run, pod, given=False)
    if istio == "classic":
        check_proxy_stays(run)
    else:
        run.wait_ended()
        run.wait_received()
        run.observe()
        run.check_phase("Succeeded")
        run.check_incomplete(SIZE)
        run.note_lost()
