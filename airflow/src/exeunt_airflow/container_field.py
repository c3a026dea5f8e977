"""Reads a field of a container.

Airflow hands over models of the Kubernetes client. A user can also put mappings into the lists of a pod, written as for the API
server, and Airflow keeps those as they are.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from kubernetes.client import V1Container

Container: TypeAlias = "V1Container | Mapping[str, Any]"


def value(container: Container, field: str) -> Any:
    """The value of `field`, in the spelling of the client. `None` also if this version of the client does not know the field."""
    if isinstance(container, Mapping):
        first, *others = field.split("_")
        return container.get(first + "".join(word.capitalize() for word in others))
    return getattr(container, field, None)


def name(container: Container) -> str:
    """Its name."""
    return str(value(container, "name"))
