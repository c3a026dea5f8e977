"""A callback of KubernetesPodOperator's: the pod is not deleted before its proxy has delivered everything."""

import time
from typing import Any, ClassVar

from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback

from exeunt_airflow.hook import settings_or_none
from exeunt_airflow.log import log
from exeunt_airflow.settings import Settings

_PROXY = "istio-proxy"
_FINISHED = ("Succeeded", "Failed")
# The proxy ends when its own limit is over, and kubelet tells of it a moment later.
_MARGIN_S = 10.0


class ExeuntCallback(KubernetesPodOperatorCallback):
    """`KubernetesPodOperator(callbacks=ExeuntCallback, …)`.

    With a proxy in its pod the operator stops waiting as soon as the main container has ended, and deletes the pod at once. This
    holds it until the proxy has ended by itself. It does not wait for the pod: Airflow's XCom helper may still be running in it.
    """

    # Seconds between two looks at the pod.
    poll_interval: ClassVar[float] = 0.5

    @classmethod
    def on_pod_completion(cls, *, pod: Any, client: Any, **_: Any) -> None:
        """Waits for the end of the proxy in `pod`, for as long as the agent would and ten seconds more."""
        try:
            cls._wait(pod, client)
        except Exception:  # noqa: BLE001 - the task has ended, and this must not change how
            log.warning("exeunt does not wait for the proxy any longer", exc_info=True)

    @classmethod
    def _wait(cls, pod: Any, client: Any) -> None:
        if pod is None or not _has_proxy(pod):
            return
        limit = (settings_or_none() or Settings()).drain_seconds + _MARGIN_S
        deadline = time.monotonic() + limit
        while not _proxy_ended(pod):
            if time.monotonic() >= deadline:
                log.warning("the proxy of pod %s is still running after %g s", pod.metadata.name, limit)
                return
            time.sleep(cls.poll_interval)
            pod = client.read_namespaced_pod(pod.metadata.name, pod.metadata.namespace)


def _has_proxy(pod: Any) -> bool:
    """Whether there is an agent and a proxy that it will end; one among the init containers is kubelet's to end."""
    everyone = [*(pod.spec.init_containers or []), *pod.spec.containers]
    return any(one.name == _PROXY for one in pod.spec.containers) and any(one.name == "exeunt" for one in everyone)


def _proxy_ended(pod: Any) -> bool:
    if pod.status.phase in _FINISHED:
        return True
    statuses = {status.name: status for status in pod.status.container_statuses or []}
    status = statuses.get(_PROXY)
    return status is not None and status.state is not None and status.state.terminated is not None
