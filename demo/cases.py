"""The ways to end a pod that the demo compares: what each is called, and what it does once the task has ended."""

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass

from harness.agent import Agent
from harness.client import ask
from harness.envoy import Envoy
from harness.wait import TooLate

# On the clusters that were measured, kubelet needs 0.3 s to 1 s to notice that the task has ended. The demo takes 1 s, which lets
# the most bytes through.
KUBELET_NOTICES_S = 1.0

# What the downward API tells the agent where istio-proxy is a native sidecar (the injector's annotation sidecar.istio.io/status).
_NATIVE_STATUS = '{"initContainers":["istio-init","istio-proxy"],"containers":null}'

# Prints a line of the running case, with the time.
Say = Callable[[str], None]
# Waits, or raises if the demo is being stopped.
Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Pod:
    """The processes of one case."""

    envoy: Envoy
    agent: Agent | None
    say: Say
    sleep: Sleep
    # Far longer than anything here takes.
    patience_s: float


@dataclass(frozen=True)
class Case:
    """One way to end a pod."""

    name: str
    # Who ends the proxy, and which form the proxy has: what the picture says.
    title: str
    subtitle: str
    # What the help says.
    about: str
    # What happens to the proxy after the task's end. Returns how, for the JSON.
    end: Callable[[Pod], str | None]
    # The options of the agent; None: there is no agent.
    agent: tuple[str, ...] | None = None
    ends: bool = True


def _nothing(_pod: Pod) -> None:
    """Nobody tells the proxy."""


def _sigkill(pod: Pod) -> str:
    """What `POST :15020/quitquitquit` has done since Istio 1.26."""
    status = ask(pod.envoy.places.pilot_agent, "POST", "/quitquitquit").status
    pod.say(f"POST :15020/quitquitquit is answered with {status}")
    return "pilot-agent {}:{}".format(*pod.envoy.places.pilot_agent)


def _admin(pod: Pod) -> str:
    """What `pilot-agent request POST quitquitquit` does, by kubectl exec."""
    status = pod.envoy.admin("/quitquitquit", "POST").status
    pod.say(f"POST :15000/quitquitquit is answered with {status}")
    return "admin {}:{}".format(*pod.envoy.places.admin)


def _sigterm(pod: Pod) -> str:
    """What `kill 1` in the container does, and the deletion of the pod."""
    _terminate(pod, "pilot-agent gets SIGTERM and drains for 5 s")
    return "SIGTERM to pilot-agent"


def _native(pod: Pod) -> str:
    """What kubelet does to a native sidecar: its preStop hook, then SIGTERM."""
    pod.sleep(KUBELET_NOTICES_S)
    _pre_stop(pod)
    _terminate(pod, "kubelet runs the preStop hook of istio-proxy, then sends SIGTERM")
    return "kubelet"


def _exeunt(pod: Pod) -> str | None:
    """The agent sees the task end by itself."""
    return _verdict(pod)


def _native_exeunt(pod: Pod) -> str | None:
    """Kubelet ends native sidecars in reverse order: the agent first, and istio-proxy only when the agent has exited."""
    assert pod.agent is not None
    pod.sleep(KUBELET_NOTICES_S)
    pod.say("kubelet runs the preStop hook of istio-proxy, and sends SIGTERM to the agent")
    pod.agent.ending.send(signal.SIGTERM)
    # Both at once: the hook does not wait for the agent.
    hook = threading.Thread(target=_pre_stop, args=(pod,))
    hook.start()
    route = _verdict(pod)
    hook.join()
    _terminate(pod, "the agent has exited, and kubelet sends SIGTERM to istio-proxy")
    return route


def _pre_stop(pod: Pod) -> None:
    ask(pod.envoy.places.pilot_agent, "POST", "/drain")


def _terminate(pod: Pod, what: str) -> None:
    assert pod.envoy.pilot_agent is not None
    pod.envoy.pilot_agent.ending.send(signal.SIGTERM)
    pod.say(what)


def _verdict(pod: Pod) -> str | None:
    assert pod.agent is not None
    verdict = pod.agent.unchecked_verdict(pod.patience_s)
    route: str | None = verdict["route"]
    undelivered = verdict["undelivered"]["bytes"]
    if verdict["proxy"] not in ("gone", "left"):
        raise TooLate(f"the agent did not end the proxy: {verdict}")
    pod.say(f"verdict of the agent: proxy {verdict['proxy']} by {route}, {undelivered:,} bytes undelivered")
    return route


CASES = (
    Case(
        "nothing",
        "Nobody ends the proxy",
        "istio-proxy as a regular container",
        "nobody tells the proxy that the task has ended",
        _nothing,
        ends=False,
    ),
    Case(
        "sigkill",
        "quitquitquit",
        "scuttle, helper containers",
        "POST :15020/quitquitquit at the task's end, as scuttle and helper containers call it",
        _sigkill,
    ),
    Case(
        "admin",
        "Envoy's own quit",
        "controllers that use kubectl exec",
        "POST :15000/quitquitquit at the task's end, as controllers call it by kubectl exec",
        _admin,
    ),
    Case(
        "sigterm",
        "SIGTERM",
        "other controllers, a deleted pod",
        "SIGTERM to istio-proxy at the task's end, as other controllers send it, and the deletion of a pod",
        _sigterm,
    ),
    Case(
        "native",
        "Native sidecar alone",
        "kubelet ends istio-proxy",
        "istio-proxy as a native sidecar: kubelet runs its preStop hook and sends SIGTERM, a second after the task's end",
        _native,
    ),
    Case(
        "exeunt",
        "exeunt",
        "istio-proxy as a regular container",
        "exeunt, with istio-proxy as a regular container",
        _exeunt,
        agent=(),
    ),
    Case(
        "native-exeunt",
        "exeunt",
        "istio-proxy as a native sidecar",
        "exeunt, with istio-proxy as a native sidecar",
        _native_exeunt,
        agent=("--placement", "native", "--istio-status", _NATIVE_STATUS),
    ),
)
NAMES = tuple(case.name for case in CASES)


def named(name: str) -> Case:
    """The case of that name."""
    return next(case for case in CASES if case.name == name)
