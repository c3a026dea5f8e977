"""The form in which a pod gets the agent. See docs/decisions/0008-what-the-hook-asks-of-the-cluster.md."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kubernetes.client import V1Container

from exeunt_airflow.cluster_version import (
    FIRST_WITH_NATIVE_SIDECARS,
    FIRST_WITH_OWN_RESTART_POLICIES,
    NATIVE_SIDECARS_ON_EVERY_NODE,
    ClusterVersions,
    Version,
    ask,
)
from exeunt_airflow.log import warn_once
from exeunt_airflow.settings import Settings

if TYPE_CHECKING:
    from kubernetes.client import V1Pod

# For Istio every value but "true" means a regular container (istio injection-template.yaml, $nativeSidecar).
NATIVE_PROXY = "sidecar.istio.io/nativeSidecar"

Proxy = Literal["native", "classic"]
Agent = Literal["native", "regular"]


@dataclass(frozen=True)
class Form:
    """What the hook makes of a pod."""

    # native: the hook makes the proxy a native sidecar. classic: it leaves the proxy as Istio makes it, so the agent must be able
    # to end a regular container.
    proxy: Proxy
    # The agent: a native sidecar, or a regular container.
    agent: Agent
    # Whether kubelet can restart a regular agent that was killed, whatever the restart policy of the pod is.
    own_restart_policy: bool = False

    @property
    def shares_processes(self) -> bool:
        """Whether the agent must see the task's processes. If both are native, kubelet tells it when the task has ended."""
        return (self.proxy, self.agent) != ("native", "native")


def choose(pod: "V1Pod", settings: Settings, versions: ClusterVersions) -> Form:
    """The form for this pod."""
    proxy = _configured_proxy(pod, settings)
    if "restart_policy" not in V1Container.openapi_types:
        if "native" in (proxy, settings.placement):
            warn_once("[exeunt] native is configured, but this Kubernetes client is older than 28: classic, and regular")
        return Form("classic", "regular")
    if proxy == "classic" and settings.placement != "auto":
        return Form("classic", settings.placement)
    version = versions.version_for(pod, needed=proxy != "native")
    if version is not None and version < FIRST_WITH_NATIVE_SIDECARS:
        if "native" in (proxy, settings.placement):
            number = ".".join(map(str, version))
            warn_once(f"[exeunt] native is configured, but Kubernetes {number} has no native sidecars: classic, and regular")
        return Form("classic", "regular")
    is_new = version is not None and version >= NATIVE_SIDECARS_ON_EVERY_NODE
    if proxy == "auto":
        # Each Istio that supports such a cluster is 1.25 or newer, and obeys the annotation.
        proxy = "native" if is_new else "classic"
    if settings.placement != "auto":
        return _form(proxy, settings.placement, version)
    return _form(proxy, "native" if is_new or proxy == "native" else "regular", version)


def _form(proxy: Proxy, agent: Agent, version: Version | None) -> Form:
    knows_own_policies = version is not None and version >= FIRST_WITH_OWN_RESTART_POLICIES
    return Form(proxy, agent, own_restart_policy=agent == "regular" and knows_own_policies)


def _configured_proxy(pod: "V1Pod", settings: Settings) -> Literal["auto", "native", "classic"]:
    """What the pod says itself, else the setting."""
    value = (pod.metadata.annotations or {}).get(NATIVE_PROXY)
    if value is None:
        # A proxy that the hook leaves as it is may be a classic one.
        return "classic" if settings.proxy == "keep" else settings.proxy
    return "native" if value == "true" else "classic"


CLUSTERS = ClusterVersions(ask)
