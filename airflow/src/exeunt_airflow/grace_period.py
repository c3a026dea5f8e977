"""The pod's grace period: the time from kubelet's SIGTERM to its SIGKILL.

If kubelet tells the agent that the task has ended, it does so with SIGTERM. Then this time limits the drain.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes.client import V1PodSpec

    from exeunt_airflow.form import Form
    from exeunt_airflow.settings import Settings

# The default of Kubernetes and of the agent.
_GRACE_PERIOD_S = 30
# The agent leaves this long before the end of the grace period, with its verdict.
_MARGIN_S = 2
# The agent takes a duration between a millisecond and a day. Kubelet gives a container two seconds, even if the pod says 0.
_SHORTEST_S, _LONGEST_S = 1, 24 * 60 * 60


def raised(spec: "V1PodSpec", form: "Form", settings: "Settings") -> int | None:
    """The grace period that the settings want. `None` if the pod's own is enough or does not limit the drain.

    Without `grace_period` and `drain_timeout` it stays as it is: a longer one has a price, which docs/airflow.md names.
    """
    if form.shares_processes:
        return None
    needed = math.ceil(settings.drain_seconds) + _MARGIN_S if settings.drain_timeout else 0
    wanted = max(needed, settings.grace_period)
    return wanted if wanted > _of(spec) else None


def arguments(spec: "V1PodSpec") -> list[str]:
    """Tells the agent the pod's grace period, if it is not the default."""
    seconds = _of(spec)
    if seconds == _GRACE_PERIOD_S:
        return []
    return ["--grace-period", f"{min(max(seconds, _SHORTEST_S), _LONGEST_S)}s"]


def price(seconds: int) -> str:
    """What a user must know about a grace period that was raised to this."""
    return (
        f"[exeunt] the settings raise the terminationGracePeriodSeconds of pods to {seconds}: a pod that is deleted while its "
        "task runs can take as long to end, because a task that is process 1 of its container ignores a SIGTERM without a handler"
    )


def _of(spec: "V1PodSpec") -> int:
    seconds: int | None = spec.termination_grace_period_seconds
    return _GRACE_PERIOD_S if seconds is None else seconds
