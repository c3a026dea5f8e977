"""Keeps the agent out of the logs that Airflow follows.

With `container_logs=True` and `init_container_logs=True` Airflow follows the log of each container, one after the other, until
that container ends. The agent is the first one, and it ends after the task: so Airflow would show the task's own log only at its
end. And kubelet ends native sidecars only after Airflow's XCom helper, which waits for Airflow: the operator would never end.

Airflow has no setting for this. So the hook replaces two methods of the provider in the process that makes the pod, because the
same process follows the logs. They differ from the provider's own only if `True` is asked for in a pod with an agent.
"""

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any

from exeunt_airflow import container_field
from exeunt_airflow.container_names import AGENT, PROXY
from exeunt_airflow.log import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULE = "airflow.providers.cncf.kubernetes.utils.pod_manager"
# The method that follows the logs, its argument with the wanted names, the method that lists all names, and those to leave out.
# A proxy among the init containers is a native sidecar and ends even after the agent. Airflow only sees it there in a pod that an
# earlier attempt has made.
_METHODS = (
    ("fetch_requested_container_logs", "containers", "get_container_names", (AGENT,)),
    ("fetch_requested_init_container_logs", "init_containers", "get_init_container_names", (AGENT, PROXY)),
)


def leave_out_the_agent() -> None:
    """Replaces the methods, once in a process. A process that has not loaded the provider follows no log, and stays as it is."""
    manager = getattr(sys.modules.get(_MODULE), "PodManager", None)
    if manager is None:
        return
    for name, argument, listing, left_out in _METHODS:
        method = getattr(manager, name, None)
        # Older providers do not follow the logs of init containers.
        if method is None or hasattr(method, "leaves_out"):
            continue
        if _is_known(method, argument) and callable(getattr(manager, listing, None)):
            setattr(manager, name, _wrapped(method, argument, listing, left_out))
        else:
            warn_once(
                f"exeunt does not know this PodManager.{name}: with True it follows the agent's log too, until the pod ends"
            )


def _is_known(method: "Callable[..., Any]", argument: str) -> bool:
    return inspect.isfunction(method) and list(inspect.signature(method).parameters)[:3] == ["self", "pod", argument]


def _wrapped(method: "Callable[..., Any]", argument: str, listing: str, left_out: tuple[str, ...]) -> "Callable[..., Any]":
    signature = inspect.signature(method)

    @functools.wraps(method)
    def follow(*words: Any, **named: Any) -> Any:
        call = signature.bind(*words, **named)
        if call.arguments.get(argument) is True:
            manager, pod = call.arguments["self"], call.arguments["pod"]
            if _has_agent(pod):
                call.arguments[argument] = [name for name in getattr(manager, listing)(pod) if name not in left_out]
        return method(*call.args, **call.kwargs)

    follow.leaves_out = left_out  # type: ignore[attr-defined]
    return follow


def _has_agent(pod: Any) -> bool:
    return any(container_field.name(one) == AGENT for one in [*(pod.spec.init_containers or []), *pod.spec.containers])
