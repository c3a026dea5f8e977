"""A callback for KubernetesPodOperator: it waits until the pod has delivered everything, and tells it in the task's log."""

import sys
import time
from typing import Any, ClassVar

from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback

from exeunt_airflow import agent_status, metrics
from exeunt_airflow.container_names import AGENT, PROXY, XCOM_HELPER
from exeunt_airflow.hook import settings_or_none
from exeunt_airflow.log import log
from exeunt_airflow.settings import Settings
from exeunt_airflow.verdict import Verdict

_FINISHED = ("Succeeded", "Failed")
_NOT_FOUND = 404
# The proxy ends within the drain timeout, and kubelet reports that a moment later.
_MARGIN_S = 10.0


class DataWasLost(RuntimeError):
    """Data of a task's pod did not arrive. The task fails with this, if it is told to."""


class ExeuntCallback(KubernetesPodOperatorCallback):
    """`KubernetesPodOperator(callbacks=ExeuntCallback, …)`.

    If the pod has a proxy, the operator stops waiting when the main container ends, and deletes the pod at once. This callback
    makes it wait until the proxy has ended. It does not wait for the whole pod: Airflow's XCom helper may still be running.
    Then it writes the agent's verdict into the log of the task.
    """

    # The pause between two requests for the pod, in seconds.
    poll_interval: ClassVar[float] = 0.5
    # Whether a task fails if data of its pod did not arrive. The setting of the same name does it for all tasks.
    fail_on_loss: ClassVar[bool] = False
    # Of pods whose verdict is told, and which the operator has not cleaned up yet.
    _told: ClassVar[dict[str, Verdict | None]] = {}

    @classmethod
    def on_pod_completion(cls, *, pod: Any, client: Any, **_: Any) -> None:
        """Waits until the proxy in `pod` has ended, at most for the drain timeout and ten seconds more, and tells the verdict."""
        cls._follow(pod, client, xcom_is_read=False)

    @classmethod
    def on_pod_cleanup(cls, *, pod: Any, client: Any, **_: Any) -> None:
        """Tells the verdict, if it came too late for the other call. After a loss the task fails now: the pod is cared for."""
        if pod is None:
            return
        if _key(pod) not in cls._told:
            cls._follow(pod, client, xcom_is_read=True)
        told = cls._told.pop(_key(pod), None)
        fails = cls.fail_on_loss or (settings_or_none() or Settings()).fail_on_loss
        # A task that has failed already keeps its own reason.
        if told is not None and told.is_loss and fails and sys.exc_info()[0] is None:
            raise DataWasLost(f"data of pod {pod.metadata.name} was lost: {told.sentence()}")

    @classmethod
    def _follow(cls, pod: Any, client: Any, *, xcom_is_read: bool) -> None:
        try:
            if xcom_is_read:
                # The operator's own object is as old as the pod.
                pod = _read(pod, client)
            if pod is not None and _has_agent(pod):
                pod = cls._wait(pod, client, xcom_is_read)
            if pod is not None and (end := _end(pod, AGENT)) is not None:
                cls._told[_key(pod)] = _tell(pod.metadata.name, end)
        except Exception:  # noqa: BLE001 - the task has ended, and an exception would change its state
            log.warning("exeunt stops waiting for the proxy", exc_info=True)

    @classmethod
    def _wait(cls, pod: Any, client: Any, xcom_is_read: bool) -> Any:
        """The pod when there is nothing to wait for any more. `None` if it is gone."""
        limit = (settings_or_none() or Settings()).drain_seconds + _MARGIN_S
        deadline = time.monotonic() + limit
        while pod is not None and _is_to_change(pod, xcom_is_read):
            if time.monotonic() >= deadline:
                log.warning("the proxy or the agent of pod %s is still running after %g s", pod.metadata.name, limit)
                break
            time.sleep(cls.poll_interval)
            pod = _read(pod, client)
        return pod


def _is_to_change(pod: Any, xcom_is_read: bool) -> bool:
    """Whether the proxy or the agent ends soon. The main container of the operator has ended, unless the XCom value is read."""
    if pod.status.phase in _FINISHED:
        return False
    regular = {container.name for container in pod.spec.containers}
    if not xcom_is_read and PROXY in regular and not _has_ended(pod, PROXY):
        return True
    if _has_ended(pod, AGENT):
        return False
    if not xcom_is_read and AGENT in regular:
        return True
    # Kubelet ends a native agent after all regular containers. When Airflow has read the value, it tells its XCom helper to end.
    others = regular - {PROXY, AGENT} - ({XCOM_HELPER} if xcom_is_read else set())
    return all(_has_ended(pod, name) for name in others)


def _tell(name: str, end: Any) -> Verdict | None:
    """Logs the verdict of a pod whose agent has ended, and sends the metrics."""
    told = agent_status.tell_verdict(name, end)
    if told is None:
        return None
    try:
        metrics.send(told)
    except Exception:  # noqa: BLE001 - a metric is never worth a task
        log.warning("exeunt cannot send its metrics", exc_info=True)
    return told


def _has_agent(pod: Any) -> bool:
    return AGENT in [container.name for container in [*(pod.spec.init_containers or []), *pod.spec.containers]]


def _has_ended(pod: Any, name: str) -> bool:
    return _end(pod, name) is not None


def _end(pod: Any, name: str) -> Any:
    """The state of a container that has ended, or `None`."""
    statuses = [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]
    return next((one.state.terminated for one in statuses if one.name == name and one.state is not None), None)


def _read(pod: Any, client: Any) -> Any:
    """The pod as it is now. `None` if it is gone."""
    from kubernetes.client import ApiException

    try:
        return client.read_namespaced_pod(pod.metadata.name, pod.metadata.namespace)
    except ApiException as problem:
        if problem.status != _NOT_FOUND:
            raise
        return None


def _key(pod: Any) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
