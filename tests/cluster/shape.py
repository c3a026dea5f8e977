"""The shape of a pod with exeunt, and what the scenarios vary in it."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

Istio = Literal["classic", "hold", "native"]
Agent = Literal["native", "regular", "none"]
Policy = Literal["Never", "OnFailure"]
# What a pod can withhold from an agent that watches processes, and what it can tell it besides.
Fact = Literal["containers", "policy", "rules"]

# The names of the containers.
AGENT = "exeunt"
PROXY = "istio-proxy"
MAIN = "base"
# The label of every created object; its value is the name of the scenario.
LABEL = "exeunt.dev/e2e"
# The ConfigMap with the programs of this package.
PROGRAMS = "e2e-programs"
AGENT_UID = 15190
TASK_UID = 1000
# Kubernetes' default, which the agent assumes without --grace-period.
GRACE_S = 30


@dataclass(frozen=True)
class Where:
    """What all pods of a run have in common."""

    task_image: str
    agent_image: str
    # The address of the receiver, HOST:PORT.
    receiver: str = ""


@dataclass(frozen=True)
class Rule:
    """What kubelet does when a container exits with a code, whatever the pod's restart policy says."""

    action: Literal["Restart", "RestartAllContainers"]
    code: int


@dataclass(frozen=True)
class Task:
    """A container that runs `programs/task.py` with `words`, or another command."""

    words: tuple[str, ...] = ()
    name: str = MAIN
    command: tuple[str, ...] = ()
    image: str = ""
    uid: int = TASK_UID
    env: tuple[tuple[str, str], ...] = ()
    # Whether the agent waits for it.
    main: bool = True
    rule: Rule | None = None
    # The words of `programs/task.py` for a hook; kubelet starts no further container before it has ended.
    post_start: tuple[str, ...] = ()
    # Whether it has the rights that a container has by default, as root: it can send signals to every process of the pod.
    root: bool = False


@dataclass(frozen=True)
class Shape:
    """A pod."""

    istio: Istio = "classic"
    agent: Agent = "native"
    # Whether the pod shares its processes and the agent is told what it cannot find out; `None`: where the agent needs it.
    sharing: bool | None = None
    policy: Policy = "Never"
    tasks: tuple[Task, ...] = (Task(("wait",)),)
    # Native sidecars that are listed before and behind the agent, if there is one.
    before: tuple[Task, ...] = ()
    behind: tuple[Task, ...] = ()
    # Whether the pod has the signal listener, by annotation. Without it the ServiceEntry is the only route to the filter.
    listener: bool = True
    # The label that selects a plugin: "on" the working one, "broken" one that cannot be fetched, "silent" one whose
    # registry does not answer, "patient" and "hasty" ones with longer and shorter limits; without a label there is none.
    drain: str = "on"
    # Whether the proxy of a deleted pod waits for its connections.
    exit_on_zero: bool = True
    agent_words: tuple[str, ...] = ()
    agent_image: str = ""
    agent_env: tuple[tuple[str, str], ...] = ()
    # What an agent that watches processes is told of the pod, beside its own placement and the proxy's form.
    told: frozenset[Fact] = frozenset({"containers", "policy", "rules"})
    # The restart policy of the agent's own container, if it is a regular one (Kubernetes 1.35 and newer).
    agent_policy: str = ""
    # Whether a regular agent is listed behind the tasks instead of in front of them.
    agent_last: bool = False
    # Whether a webhook has removed `restartPolicy: Always` from the agent: some drop a field that they do not know.
    stripped: bool = False
    # A command for istio-proxy instead of its own, by the customised injection of Istio.
    proxy_command: tuple[str, ...] = ()
    host_network: bool = False
    grace_s: int = GRACE_S
    # Whether the agent is told a grace period that is not Kubernetes' default.
    tells_grace: bool = True
    # Whether an init container unpacks the agent's binary for the task.
    unpacks_agent: bool = False
    inject: bool = True
    # Whether the pod asks for the ambient mesh instead of a sidecar.
    ambient: bool = False
    # Further fields of Istio's ProxyConfig for this pod.
    proxy_config: tuple[tuple[str, Any], ...] = ()
    annotations: tuple[tuple[str, str], ...] = field(default=())

    @property
    def by_kubelet(self) -> bool:
        """Whether kubelet tells the agent the end of the task."""
        return self.agent == "native" and self.istio == "native"

    @property
    def shares(self) -> bool:
        """Whether the pod shares its processes, and the agent is told what it cannot find out."""
        return self.agent != "none" and not self.by_kubelet if self.sharing is None else self.sharing


def three_lines(**changes: Any) -> Shape:
    """The least that a user can add to a pod: an agent of three lines behind a native proxy. No plugin, no label, no option."""
    return replace(Shape(istio="native", listener=False, drain="", exit_on_zero=False), **changes)
