"""What is said of a pod: its containers, in the words of Kubernetes."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# The values of the matrix (matrix.py), which are also those of Kubernetes and of the agent's options.
Mode = Literal["watch", "exec", "complete", "none"]
Placement = Literal["native", "regular", "inside"]
Form = Literal["classic", "hold", "native", "absent"]
Policy = Literal["Never", "OnFailure"]


@dataclass(frozen=True)
class Mount:
    """A folder or file of this machine's in a container."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Container:
    """One container of a pod's spec, and what a test adds to it."""

    name: str
    command: Sequence[str]
    user: int
    # A folder with the root file system. It is mounted read-only.
    root: Path
    mounts: Sequence[Mount] = ()
    environment: dict[str, str] = field(default_factory=dict)
    # Whether it writes one JSON object a line to stdout, as the programs of the harness do.
    reports: bool = False
    # The startup probe of a native sidecar, or the postStart hook of a container: what is listed behind it is started only then.
    is_started: Callable[[], bool] | None = None
    # The preStop hook.
    pre_stop: Callable[[], None] | None = None
    # Whether its image is there: until then its start fails as with ImagePullBackOff.
    pulled: threading.Event | None = None


@dataclass(frozen=True)
class PodSpec:
    """A pod. Its plain init containers have done their work: the harness does istio-init's."""

    # The init containers with restartPolicy Always.
    sidecars: Sequence[Container]
    containers: Sequence[Container]
    restart_policy: Policy = "Never"
    grace_period_s: float = 30.0
