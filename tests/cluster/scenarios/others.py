"""Pods that exeunt has no part in, as controls, and what it refuses or is refused."""

from functools import partial

from harness import messages

from .. import observed, pods
from ..play import Play
from ..pods import AGENT, MAIN, PROXY, Istio, Shape, Task
from ..scenario import Scenario
from ..trouble import Refused, Skip
from .words import SIZE, uploading

_FORBIDDEN = 403
# How long a proxy that nobody ends is looked at.
_LOOK_S = 15


def _alone_classic(play: Play) -> None:
    play.start(Shape(agent="none", listener=False, exit_on_zero=False, drain="", tasks=uploading(rate=0)))
    play.wait("the task to end", lambda pod: observed.terminated(pod, MAIN) is not None)
    play.site.stop.wait(_LOOK_S)
    play.wait_received()
    play.look()
    pod = play.wait("the pod to be there", lambda _pod: True)
    play.check(observed.is_running(pod, PROXY), "the proxy has ended by itself: then nothing else here shows anything")
    play.check_delivered(SIZE)
    play.note(f"still {play.facts.phase} {_LOOK_S} s after its task")


def _alone_native(play: Play) -> None:
    play.start(Shape(istio="native", agent="none", listener=False, exit_on_zero=False, drain="", tasks=uploading()))
    play.wait_ended()
    play.wait_received()
    play.look()
    play.facts.written = SIZE
    play.check(play.facts.phase == "Succeeded", f"the pod is {play.facts.phase}, not Succeeded")
    play.note(f"Istio alone loses {SIZE - (play.facts.received or 0):,} bytes of this upload")


def _host_network(play: Play) -> None:
    try:
        play.start(Shape(agent="regular", host_network=True, tasks=(Task(command=("true",)),)), bare=True)
    except Refused as refused:
        if refused.status != _FORBIDDEN:
            raise
        raise Skip(f"this cluster takes no pod on the node's network: {refused}") from refused
    play.wait_ended()
    play.look()
    refused = [one["reason"] for one in (play.facts.verdict or {}).get("refused", [])]
    play.check(
        any(reason.startswith(messages.HOST_NETWORK) for reason in refused), f"the agent does not refuse; it says {refused}"
    )
    play.check(play.facts.phase == "Succeeded", f"the pod is {play.facts.phase}, not Succeeded")


def _restricted_agent(play: Play) -> None:
    namespace = f"{play.site.namespace}-restricted"
    play.site.make_namespace(namespace, {"pod-security.kubernetes.io/enforce": "restricted"})
    shape = Shape(agent="native" if play.site.native_agent else "regular", tasks=uploading(), inject=False)
    try:
        play.site.kube.create(namespace, pods.pod(play.name, shape, play.site.where), dry_run=True)
    except Refused as refused:
        play.check(False, f"refused: {refused}")
    broken = pods.pod(play.name, shape, play.site.where)
    broken["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    try:
        play.site.kube.create(namespace, broken, dry_run=True)
        play.check(False, "a pod that breaks the standard is taken too, so the namespace enforces nothing")
    except Refused as refused:
        play.note(f"a pod that breaks the standard is refused with {refused.status}")


def _restricted_run(istio: Istio, play: Play) -> None:
    if play.site.restricted:
        raise Skip(play.site.restricted)
    play.need(Shape(istio=istio))
    namespace = f"{play.site.namespace}-restricted-{istio}"
    play.site.make_namespace(namespace, {"pod-security.kubernetes.io/enforce": "restricted"})
    body = pods.pod(play.name, Shape(istio=istio), play.site.where)
    # Everything that restricts is admission's: that the injected pod is taken is what is new here, not how it runs.
    play.site.kube.create(namespace, body, dry_run=True)


SCENARIOS = (
    Scenario("alone-classic", "without exeunt a classic sidecar stays when its task has ended (control)", _alone_classic),
    Scenario("alone-native", "without exeunt a native sidecar ends, with or without what it holds (control)", _alone_native),
    Scenario("host-network", "in a pod on the node's network the agent refuses and says so", _host_network),
    Scenario(
        "restricted-agent", f"the restricted pod security standard takes a pod with the container {AGENT}", _restricted_agent
    ),
    *(
        Scenario(
            f"restricted-{istio}",
            f"the same pod is taken with an injected {istio} sidecar",
            partial(_restricted_run, istio),
        )
        for istio in ("classic", "native")
    ),
)
