"""Names the cause in the task's log, if a pod does not start because kubelet cannot get the agent's image.

Airflow's operator then says "Pod took too long to start", and its user has not chosen that image. The operator reads its pod
again and again until it has started. exeunt wraps the method that reads it, in the process that makes the pod, and makes no call.
"""

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any

from exeunt_airflow import agent_status
from exeunt_airflow.log import log

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULE = "airflow.providers.cncf.kubernetes.utils.pod_manager"
_METHOD = "read_pod"


def tell_when_a_pod_is_read() -> None:
    """Wraps the method, once in a process. A process that has not loaded the provider reads no pod, and stays as it is."""
    manager = getattr(sys.modules.get(_MODULE), "PodManager", None)
    method = getattr(manager, _METHOD, None)
    if manager is not None and inspect.isfunction(method) and not hasattr(method, "tells"):
        setattr(manager, _METHOD, _wrapped(method))


def _wrapped(method: "Callable[..., Any]") -> "Callable[..., Any]":
    # The pods that were told. Kubelet's reason changes from one try to the next.
    told: set[str] = set()

    @functools.wraps(method)
    def read(*words: Any, **named: Any) -> Any:
        pod = method(*words, **named)
        try:
            sentence = agent_status.missing_image(pod)
            if sentence is not None and pod.metadata.uid not in told:
                told.add(pod.metadata.uid)
                log.warning("%s", sentence)
        except Exception:  # noqa: BLE001 - an exception here would fail the task
            log.debug("exeunt cannot read the state of its agent", exc_info=True)
        return pod

    read.tells = True  # type: ignore[attr-defined]
    return read
