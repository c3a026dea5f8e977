"""Whether the containers of a pod may share their processes.

In a shared process namespace a process of root can read the environment, the files and the memory of other containers: those of
root, and after setuid(2) those of any other user. See docs/airflow.md.
"""

from typing import TYPE_CHECKING, Any

from exeunt_airflow import container_field
from exeunt_airflow.container_names import PROXY
from exeunt_airflow.unchanged import NeedsAttention

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kubernetes.client import V1PodSpec

    from exeunt_airflow.container_field import Container
    from exeunt_airflow.settings import Settings

_REMEDY = 'make its proxy native, by the annotation sidecar.istio.io/nativeSidecar: "true"'


def check(spec: "V1PodSpec", settings: "Settings") -> None:
    """Raises the reason if the settings forbid that the containers of this pod share their processes."""
    if settings.share_processes == "never":
        raise NeedsAttention(
            f"[exeunt] share_processes is never, and beside a proxy that may be classic the agent must see the task: {_REMEDY}"
        )
    if settings.share_processes == "unless-root":
        root = [container_field.name(one) for one in _beside_the_task(spec) if _may_be_root(one, spec)]
        if root:
            raise NeedsAttention(
                f"[exeunt] share_processes is unless-root, and nothing in the pod keeps {', '.join(root)} from running as root: "
                f"set runAsNonRoot: true or a runAsUser, or {_REMEDY}"
            )


def _beside_the_task(spec: "V1PodSpec") -> "Iterator[Container]":
    """The containers that run while the task runs, without the proxy, whose user Istio sets. Other init containers end before."""
    yield from (one for one in spec.containers or [] if container_field.name(one) != PROXY)
    for one in spec.init_containers or []:
        if container_field.value(one, "restart_policy") == "Always" and container_field.name(one) != PROXY:
            yield one


def _may_be_root(container: "Container", spec: "V1PodSpec") -> bool:
    """Whether kubelet may start it as root. A field of the container counts before the same field of the pod."""

    def told(field: str) -> Any:
        securities = (container_field.value(container, "security_context"), spec.security_context)
        values = (container_field.value(security, field) for security in securities if security is not None)
        return next((value for value in values if value is not None), None)

    # Without runAsUser it is the user of the image, which the hook does not know. With runAsNonRoot kubelet looks at it.
    return not told("run_as_non_root") and not told("run_as_user")
