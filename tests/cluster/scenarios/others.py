"""Pods without exeunt, as controls; what the agent refuses; and what the restricted pod security standard admits."""

from functools import partial

from .. import messages, pods
from ..errors import Refused, Skip
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import AGENT, Istio, Shape, Task
from .common import SIZE, check_proxy_stays, upload_task

_FORBIDDEN = 403
_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
_FORMS: tuple[Istio, ...] = ("classic", "native")


def _alone_classic(run: ScenarioRun) -> None:
    run.start(Shape(agent="none", listener=False, exit_on_zero=False, drain="", tasks=upload_task(rate=0)))
    check_proxy_stays(run)


def _alone_native(run: ScenarioRun) -> None:
    run.start(Shape(istio="native", agent="none", listener=False, exit_on_zero=False, drain="", tasks=upload_task()))
    run.wait_ended()
    run.wait_received()
    run.observe()
    run.facts.written = SIZE
    run.check_phase("Succeeded")
    run.note(f"Istio alone loses {run.facts.lost:,} bytes of this upload")


def _host_network(run: ScenarioRun) -> None:
    try:
        run.start(Shape(agent="regular", host_network=True, tasks=(Task(command=("true",)),)), bare=True)
    except Refused as error:
        if error.status != _FORBIDDEN:
            raise
        raise Skip(f"this cluster admits no pod on the node's network: {error}") from error
    run.wait_ended()
    run.observe()
    reasons = [one["reason"] for one in run.facts.verdict_field("refused") or []]
    run.check(
        any(reason.startswith(messages.HOST_NETWORK) for reason in reasons),
        f"the agent does not refuse the node's network; its verdict refuses: {reasons}",
    )
    run.check_phase("Succeeded")


def _restricted_agent(run: ScenarioRun) -> None:
    namespace = f"{run.site.namespace}-restricted"
    run.site.make_namespace(namespace, _RESTRICTED)
    shape = Shape(agent="native" if run.site.native_agent else "regular", tasks=upload_task(), inject=False)
    try:
        run.site.kube.create(namespace, pods.pod(run.name, shape, run.site.where), dry_run=True)
    except Refused as error:
        run.check(False, f"refused: {error}")
    broken = pods.pod(run.name, shape, run.site.where)
    broken["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    try:
        run.site.kube.create(namespace, broken, dry_run=True)
        run.check(False, "a pod that breaks the standard is admitted too, so the namespace enforces nothing")
    except Refused as error:
        run.note(f"a pod that breaks the standard is refused with {error.status}")


def _restricted_sidecar(istio: Istio, run: ScenarioRun) -> None:
    if run.site.restricted:
        raise Skip(run.site.restricted)
    run.need(Shape(istio=istio))
    namespace = f"{run.site.namespace}-restricted-{istio}"
    run.site.make_namespace(namespace, _RESTRICTED)
    body = pods.pod(run.name, Shape(istio=istio), run.site.where)
    # The standard is enforced at admission, so a dry run is enough: the other scenarios show how the pod runs.
    run.site.kube.create(namespace, body, dry_run=True)


SCENARIOS = (
    Scenario("alone-classic", "without exeunt a classic sidecar stays when its task has ended (control)", _alone_classic),
    Scenario("alone-native", "without exeunt a native sidecar ends, whatever it still holds (control)", _alone_native),
    Scenario("host-network", "in a pod on the node's network the agent refuses to work, and says so", _host_network),
    Scenario(
        "restricted-agent", f"the restricted pod security standard admits a pod with the container {AGENT}", _restricted_agent
    ),
    *(
        Scenario(
            f"restricted-{istio}",
            f"the standard admits the same pod with an injected {istio} sidecar",
            partial(_restricted_sidecar, istio),
        )
        for istio in _FORMS
    ),
)
