"""Native sidecar or regular container: docs/decisions/0008-what-the-hook-asks-of-the-cluster.md."""

import copy
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from kubernetes.client import ApiClient, Configuration, V1Container, VersionApi

from exeunt_airflow.log import warn_once
from exeunt_airflow.settings import Settings

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

Placed = Literal["native", "regular"]
Version = tuple[int, int]

# Kubelets know native sidecars from 1.29, and may be three minor versions older than the API server (Kubernetes' version skew
# policy): behind this API server there is none that does not.
_ALL_NODES_KNOW = (1, 32)
# The scheduler waits for the answer, once: half a second to connect and one to answer is long within a cluster.
_TIMEOUT_S = (0.5, 1.0)
# After that many seconds without an answer it may be asked again.
_ASK_AGAIN_S = 300.0


def choose(pod: "V1Pod", settings: Settings, clusters: "Clusters") -> Placed:
    """Where the agent goes in this pod."""
    if "restart_policy" not in V1Container.openapi_types:
        if settings.placement == "native":
            warn_once("[exeunt] placement is native, but this Kubernetes client is older than 28 and cannot say it: regular")
        return "regular"
    if settings.placement != "auto":
        return settings.placement
    version = clusters.version_for(pod)
    return "native" if version is not None and version >= _ALL_NODES_KNOW else "regular"


class Clusters:
    """The versions of the clusters that pods go to, each asked for once."""

    def __init__(self, ask: Callable[[str], Version], clock: Callable[[], float] = time.monotonic) -> None:
        """`ask` takes `executor` or `own`, and raises whatever it raises."""
        self._ask = ask
        self._clock = clock
        self._known: dict[str, Version] = {}
        self._not_before: dict[str, float] = {}

    def version_for(self, pod: "V1Pod") -> Version | None:
        """The version of the API server that this pod is for, or `None` where it cannot be told."""
        labels = pod.metadata.labels or {}
        if labels.get("airflow_kpo_in_cluster") == "False":
            # It goes by a connection or a kubeconfig that the hook is not shown, to whatever cluster.
            return None
        # The executor has settings of its own for its cluster.
        which = "executor" if labels.get("kubernetes_executor") == "True" else "own"
        if which not in self._known and self._clock() >= self._not_before.get(which, float("-inf")):
            try:
                self._known[which] = self._ask(which)
            except Exception as error:  # noqa: BLE001 - whatever it is, the pod can go out
                self._not_before[which] = self._clock() + _ASK_AGAIN_S
                reason = f"{type(error).__name__}: {error}".splitlines()[0]
                warn_once(
                    f"[exeunt] placement is auto, and the cluster's version could not be learnt ({reason}): regular for now"
                )
        return self._known.get(which)


def ask_cluster(which: str) -> Version:
    """`GET /version`, which every account may ask."""
    configuration = _configuration(which)
    # A second trial would double the scheduler's wait.
    configuration.retries = 0
    with ApiClient(configuration) as client:
        info = VersionApi(client).get_code(_request_timeout=_TIMEOUT_S)
    return parsed(f"{info.major}.{info.minor}")


def parsed(text: str) -> Version:
    """`1.29` and, as some providers write it, `1.29+`."""
    match = re.fullmatch(r"([0-9]+)\.([0-9]+)\+?", text)
    if match is None:
        raise ValueError(f"{text!r} is no version of Kubernetes")
    return int(match[1]), int(match[2])


def _configuration(which: str) -> Configuration:
    if which == "executor":
        from airflow.providers.cncf.kubernetes.kube_client import get_kube_client

        return copy.deepcopy(get_kube_client().api_client.configuration)
    from kubernetes.config import load_incluster_config

    configuration = Configuration()
    # Into this one: without it the default of the whole process would change.
    load_incluster_config(client_configuration=configuration)
    return configuration


CLUSTERS = Clusters(ask_cluster)
