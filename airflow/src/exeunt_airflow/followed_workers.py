"""Tells the verdicts of the executor's pods in the scheduler's log, at no call of its own.

The executor's watcher gets each change of a pod from the API server, decides, and lets the executor delete a pod that has ended.
Airflow gives these pods to no plugin. So exeunt wraps the watcher's own method, before the scheduler starts its executor: the
pod that it is called with is read for its verdict, and then the method does what it does. Nothing else changes.
"""

import functools
import importlib
import inspect
from typing import TYPE_CHECKING, Any

from exeunt_airflow import agent_status
from exeunt_airflow.log import log, warn_once

if TYPE_CHECKING:
    from collections.abc import Callable

_MODULE = "airflow.providers.cncf.kubernetes.executors.kubernetes_executor_utils"
_METHOD = "process_status"
_ENDED = ("Succeeded", "Failed")


def tell_verdicts() -> None:
    """Wraps the method, once in a process."""
    watcher = importlib.import_module(_MODULE).KubernetesJobWatcher
    method = getattr(watcher, _METHOD, None)
    if hasattr(method, "tells"):
        return
    if inspect.isfunction(method) and list(inspect.signature(method).parameters)[-1] == "event":
        setattr(watcher, _METHOD, _wrapped(method))
    else:
        warn_once(f"exeunt does not know this KubernetesJobWatcher.{_METHOD}: the scheduler's log has no verdicts")


def _wrapped(method: "Callable[..., Any]") -> "Callable[..., Any]":
    signature = inspect.signature(method)
    # What was told of the pods that exist: the watcher sees each of them several times.
    seen: set[tuple[str, str]] = set()

    @functools.wraps(method)
    def process(*words: Any, **named: Any) -> Any:
        try:
            _tell(signature.bind(*words, **named).arguments["event"], seen)
        except Exception:  # noqa: BLE001 - an exception here would end the watcher
            log.warning("exeunt cannot read a worker's pod", exc_info=True)
        return method(*words, **named)

    process.tells = True  # type: ignore[attr-defined]
    return process


def _tell(event: Any, seen: set[tuple[str, str]]) -> None:
    pod = event["object"]
    uid = pod.metadata.uid
    state = agent_status.state(pod)
    if state is None:
        return
    if pod.status.phase in _ENDED and state.terminated is not None and _is_new(seen, uid, "verdict"):
        agent_status.tell_verdict(pod.metadata.name, state.terminated)
    sentence = agent_status.missing_image(pod)
    if sentence is not None and _is_new(seen, uid, "image"):
        log.warning("%s", sentence)
    if event["type"] == "DELETED":
        seen -= {(uid, "verdict"), (uid, "image")}


def _is_new(seen: set[tuple[str, str]], uid: str, what: str) -> bool:
    is_new = (uid, what) not in seen
    seen.add((uid, what))
    return is_new
