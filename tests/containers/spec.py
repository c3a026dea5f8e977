"""The specification of a pod and its containers, in the terms of Kubernetes."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

# The values of the matrix (matrix.py). Kubernetes and the agent's options use the same words.
Mode = Literal["watch", "exec", "complete", "none"]
Placement = Literal["native", "regular", "inside"]
Form = Literal["classic", "hold", "native", "absent"]
Policy = Literal["Never", "OnFailure"]
# The words of the matrix for the pod's policy; "rules" is Never with rules of the main container's own.
Restarts = Literal["Never", "OnFailure", "rules"]


@dataclass(frozen=True)
class Mount:
    """A folder or file of this machine that is mounted into a container."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Rule:
    """An entry of a container's restartPolicyRules, for exit codes that are `In` the values."""

    action: Literal["Restart", "RestartAllContainers"]
    codes: tuple[int, ...]

    def as_json(self) -> dict[str, Any]:
        """The entry as it is in the pod's spec."""
        return {"action": self.action, "exitCodes": {"operator": "In", "values": list(self.codes)}}


@dataclass(frozen=True)
class Container:
    """One container of a pod's spec, and what a test adds to it."""

    name: str
    command: Sequence[str]
    user: int
    # A folder with the root file system, mounted read-only.
    root: Path
    mounts: Sequence[Mount] = ()
    environment: dict[str, str] = field(default_factory=dict)
    # Whether it writes one JSON object per line to stdout, as the programs of the harness do.
    reports: bool = False
    # The startup probe of a native sidecar, or the postStart hook of a container: the next container in the list waits for it.
    is_started: Callable[[], bool] | None = None
    # The preStop hook.
    pre_stop: Callable[[], None] | None = None
    # Set when the image is available: until then a start fails as with ImagePullBackOff.
    pulled: threading.Event | None = None
    # Whether it has the runtime's usual capabilities. Otherwise it has none, and can get none.
    capabilities: bool = False
    # A seccomp profile, in place of the runtime's.
    seccomp: Path | None = None
    # The most memory, in MiB.
    memory: int | None = None
    # Its own restart policy and rules, which count before the pod's policy.
    restart_policy: Policy | None = None
    rules: Sequence[Rule] = ()


@dataclass(frozen=True)
class PodSpec:
    """A pod. The harness does the work of istio-init, so a plain init container is only there to be seen."""

    # The init containers with restartPolicy Always.
    sidecars: Sequence[Container]
    containers: Sequence[Container]
    restart_policy: Policy = "Never"
    grace_period_s: float = 30.0
    # The plain init containers, all behind the sidecars.
    inits: Sequence[Container] = ()
