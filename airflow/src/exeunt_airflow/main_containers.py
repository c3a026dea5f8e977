"""Finds the main containers: the task is over when all of them have ended."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubernetes.client import ApiClient

from exeunt_airflow import container_field
from exeunt_airflow.container_names import ENDLESS_HELPERS, PROXY
from exeunt_airflow.unchanged import NeedsAttention

if TYPE_CHECKING:
    from collections.abc import Collection

    from kubernetes.client import Configuration, V1PodSpec

    from exeunt_airflow.container_field import Container


@dataclass(frozen=True)
class MainContainer:
    """What the agent must know of a main container."""

    name: str
    # Its own restart policy (Kubernetes 1.34 and newer). `None`: it has that of the pod.
    restart_policy: str | None
    # Its own restart rules as JSON, as the API server gets them. `None`: it has none.
    restart_rules: str | None


def find(spec: "V1PodSpec", more_helpers: "Collection[str]", client: "Configuration") -> tuple[MainContainer, ...]:
    """Every regular container that is neither the proxy nor a helper which never ends, in the order of the pod."""
    # The proxy is in a pod that was injected before.
    others = {PROXY, *ENDLESS_HELPERS, *more_helpers}
    containers = spec.containers or []
    main = tuple(_of(one, client) for one in containers if container_field.name(one) not in others)
    if not main:
        names = ", ".join(container_field.name(one) for one in containers) or "none"
        raise NeedsAttention(f"it has no main container, whose end is the end of the task: its containers are {names}")
    return main


def _of(container: "Container", client: "Configuration") -> MainContainer:
    rules = container_field.value(container, "restart_policy_rules")
    return MainContainer(
        name=container_field.name(container),
        restart_policy=container_field.value(container, "restart_policy"),
        restart_rules=json.dumps(ApiClient(client).sanitize_for_serialization(rules)) if rules else None,
    )
