"""A callback for KubernetesPodOperator: the operator deletes the pod only after its proxy has delivered everything."""

import time
from typing import Any, ClassVar

from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback

from exeunt_airflow.container_names import AGENT, PROXY
from exeunt_airflow.hook import settings_or_none
from exeunt_airflow.log import log
from exeunt_airflow.settings import Settings

_FINISHED = ("Succeeded", "Failed")
# The proxy ends within the drain timeout, and kubelet reports that a moment later.
_MARGIN_S = 10.0


class ExeuntCallback(KubernetesPodOperatorCallback):
    """`KubernetesPodOperator(callbacks=ExeuntCallback, …)`.

    If the pod has a proxy, the operator stops waiting when the main container ends, and deletes the pod at once. This callback
    makes it wait until the proxy has ended. It does not wait for the whole pod: Airflow's XCom helper may still be running.
    """

    # The pause between two requests for the pod, in seconds.
    poll_interval: ClassVar[float] = 0.5

    @classmethod
    def on_pod_completion(cls, *, pod: Any, client: Any, **_: Any) -> None:
        """Waits until the proxy in `pod` has ended, at most for the drain timeout and ten seconds more."""
        try:
            cls._wait(pod, client)
        except Exception:  # noqa: BLE001 - the task has ended, and an exception would change its state
            log.warning("exeunt stops waiting for the proxy", exc_info=True)

    @classmethod
    def _wait(cls, pod: Any, client: Any) -> None:
        if pod is None or not _has_agent_and_classic_proxy(pod):
            return
        limit = (settings_or_none() or Settings()).drain_seconds + _MARGIN_S
        deadline = time.monotonic() + limit
        while not _proxy_ended(pod):
            if time.monotonic() >= deadline:
                log.warning("the proxy of pod %s is still running after %g s", pod.metadata.name, limit)
                return
            time.sleep(cls.poll_interval)
            pod = client.read_namespaced_pod(pod.metadata.name, pod.metadata.namespace)


def _has_agent_and_classic_proxy(pod: Any) -> bool:
    """Whether the agent ends the proxy of this pod. A proxy among the init containers is a native sidecar, which kubelet ends."""
    containers = [container.name for container in pod.spec.containers]
    init_containers = [container.name for container in pod.spec.init_containers or []]
    return PROXY in containers and AGENT in [*init_containers, *containers]


def _proxy_ended(pod: Any) -> bool:
    if pod.status.phase in _FINISHED:
        return True
    states = {status.name: status.state for status in pod.status.container_statuses or []}
    state = states.get(PROXY)
    return state is not None and state.terminated is not None
