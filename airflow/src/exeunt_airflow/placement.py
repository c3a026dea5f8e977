"""Native sidecar or regular container? See docs/decisions/0008-what-the-hook-asks-of-the-cluster.md."""

from typing import TYPE_CHECKING, Literal

from kubernetes.client import V1Container

from exeunt_airflow.cluster_version import ClusterVersions, ask
from exeunt_airflow.log import warn_once
from exeunt_airflow.settings import Settings

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

Placed = Literal["native", "regular"]

# Kubelet supports native sidecars from 1.29 on. It may be three minor versions older than the API server (Kubernetes' version
# skew policy), so with this API server every kubelet supports them.
_EVERY_KUBELET_SUPPORTS_IT = (1, 32)


def choose(pod: "V1Pod", settings: Settings, versions: ClusterVersions) -> Placed:
    """The agent's place in this pod."""
    if "restart_policy" not in V1Container.openapi_types:
        if settings.placement == "native":
            warn_once("[exeunt] placement is native, but this Kubernetes client, older than 28, does not support it: regular")
        return "regular"
    if settings.placement != "auto":
        return settings.placement
    version = versions.version_for(pod)
    return "native" if version is not None and version >= _EVERY_KUBELET_SUPPORTS_IT else "regular"


CLUSTERS = ClusterVersions(ask)
