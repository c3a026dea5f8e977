"""The version of the Kubernetes cluster that a pod goes to."""

import copy
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from kubernetes.client import ApiClient, Configuration, VersionApi

from exeunt_airflow.log import warn_once

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

Version = tuple[int, int]
# The cluster where the executor makes its pods has its own settings. The other one is the cluster where this process runs.
Cluster = Literal["executor", "own"]

# Kubelet and API server support native sidecars by default from here on.
FIRST_WITH_NATIVE_SIDECARS: Version = (1, 29)
# A kubelet may be three minor versions older than the API server (Kubernetes' version skew policy). So with this API server every
# kubelet supports them.
NATIVE_SIDECARS_ON_EVERY_NODE: Version = (1, 32)
# The API server accepts a restart policy of a regular container by default from here on. Older ones refuse it or drop it.
FIRST_WITH_OWN_RESTART_POLICIES: Version = (1, 35)

# To connect, and to answer. The scheduler waits for it, but only once. An API server in the same cluster needs much less.
_TIMEOUT_S = (0.5, 1.0)
# The pause after a request that failed.
_RETRY_AFTER_S = 300.0


class ClusterVersions:
    """Asks each cluster once for its version."""

    def __init__(self, ask: Callable[[Cluster], Version], clock: Callable[[], float] = time.monotonic) -> None:
        """`ask` may raise any exception."""
        self._ask = ask
        self._clock = clock
        self._versions: dict[Cluster, Version] = {}
        self._retry_at: dict[Cluster, float] = {}

    def version_for(self, pod: "V1Pod", *, needed: bool) -> Version | None:
        """The version of the pod's API server. `None` if it is not known. If it is `needed`, a warning says why."""
        labels = pod.metadata.labels or {}
        if labels.get("airflow_kpo_in_cluster") == "False":
            # It goes to a cluster from a connection or a kubeconfig, which the hook does not get.
            return None
        cluster: Cluster = "executor" if labels.get("kubernetes_executor") == "True" else "own"
        if cluster not in self._versions and self._clock() >= self._retry_at.get(cluster, float("-inf")):
            try:
                self._versions[cluster] = self._ask(cluster)
            except Exception as error:  # noqa: BLE001 - no error may keep the pod from being created
                self._retry_at[cluster] = self._clock() + _RETRY_AFTER_S
                if needed:
                    reason = f"{type(error).__name__}: {error}".splitlines()[0]
                    warn_once(f"[exeunt] the cluster does not tell its version ({reason}): it counts as older than 1.32 for now")
        return self._versions.get(cluster)


def ask(cluster: Cluster) -> Version:
    """Requests `GET /version`, which every account may do."""
    configuration = _configuration(cluster)
    # A second attempt would double the time that the scheduler waits.
    configuration.retries = 0
    with ApiClient(configuration) as client:
        info = VersionApi(client).get_code(_request_timeout=_TIMEOUT_S)
    return parse(f"{info.major}.{info.minor}")


def parse(text: str) -> Version:
    """Reads `1.29`, and also `1.29+`, which some cloud providers write."""
    match = re.fullmatch(r"([0-9]+)\.([0-9]+)\+?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a version of Kubernetes")
    return int(match[1]), int(match[2])


def _configuration(cluster: Cluster) -> Configuration:
    if cluster == "executor":
        from airflow.providers.cncf.kubernetes.kube_client import get_kube_client

        return copy.deepcopy(get_kube_client().api_client.configuration)
    from kubernetes.config import load_incluster_config

    configuration = Configuration()
    # Without this argument the call would change the default configuration of the whole process.
    load_incluster_config(client_configuration=configuration)
    return configuration
