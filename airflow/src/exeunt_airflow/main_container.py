"""Finds the main container: the task is over when it ends."""

from typing import TYPE_CHECKING

from exeunt_airflow.container_names import PROXY, SPARK_DRIVER, XCOM_HELPER
from exeunt_airflow.unchanged import NeedsAttention

if TYPE_CHECKING:
    from kubernetes.client import V1Container, V1PodSpec

# Containers that never are the main one. The proxy is in a pod that was injected before it was created.
_HELPERS = (XCOM_HELPER, PROXY)


def find(spec: "V1PodSpec", configured: str) -> "V1Container":
    """The container with the configured name, else Spark's driver, else the only one that is not a helper."""
    containers = spec.containers or []
    for name in (configured, SPARK_DRIVER):
        for container in containers:
            if container.name == name:
                return container
    candidates = [container for container in containers if container.name not in _HELPERS]
    if len(candidates) != 1:
        names = ", ".join(str(container.name) for container in containers) or "none"
        raise NeedsAttention(f"which container is the main one? It has {names}, and [exeunt] main_container is {configured}")
    return candidates[0]
