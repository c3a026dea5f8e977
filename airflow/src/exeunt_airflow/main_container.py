"""Which container's end ends the task."""

from typing import TYPE_CHECKING

from exeunt_airflow.reasons import InDoubt

if TYPE_CHECKING:
    from kubernetes.client import V1Container, V1PodSpec

# Names that mean a main container whoever made the pod. Spark's is fixed in its own code (Constants.scala,
# DEFAULT_DRIVER_CONTAINER_NAME).
_KNOWN = ("spark-kubernetes-driver",)
# Those that never are one: Airflow's own helper, and Istio's proxy where the pod was injected before it was created.
_HELPERS = ("airflow-xcom-sidecar", "istio-proxy")


def find(spec: "V1PodSpec", configured: str) -> "V1Container":
    """The container with the configured name, else one with a known name, else the only one that can be it."""
    containers = spec.containers or []
    for name in (configured, *_KNOWN):
        for container in containers:
            if container.name == name:
                return _whole(container)
    others = [container for container in containers if container.name not in _HELPERS]
    if len(others) != 1:
        names = ", ".join(str(container.name) for container in containers) or "none"
        raise InDoubt(f"which is the main container? It has {names}, and [exeunt] main_container is {configured}")
    return _whole(others[0])


def _whole(container: "V1Container") -> "V1Container":
    """KubernetesJobOperator merges its job template behind the hook, container by container in their order.

    An agent before the main container would take the place of the template's first. A container without an image tells it: the
    image is to come from there.
    """
    if not container.image:
        raise InDoubt(f"container {container.name} has no image yet: a job template that is merged later would be merged wrongly")
    return container
