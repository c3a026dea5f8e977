"""Finds the main containers: the task is over when all of them have ended."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubernetes.client import ApiClient

from exeunt_airflow import container_field
from exeunt_airflow.container_names import ENDLESS_HELPERS, PROXY
from exeunt_airflow.unchanged import NeedsAttention

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from kubernetes.client import Configuration, V1PodSpec

    from exeunt_airflow.container_field import Container

# The pod's own word on which containers are the task, with commas.
ANNOTATION = "exeunt.dev/container"


@dataclass(frozen=True)
class MainContainer:
    """What the agent must know of a main container."""

    name: str
    # Its own restart policy (Kubernetes 1.34 and newer). `None`: it has that of the pod.
    restart_policy: str | None
    # Its own restart rules as JSON, as the API server gets them. `None`: it has none.
    restart_rules: str | None


def named(annotations: "Mapping[str, str]") -> tuple[str, ...]:
    """The names that the pod itself gives to the agent."""
    return tuple(filter(None, (name.strip() for name in annotations.get(ANNOTATION, "").split(","))))


def find(
    spec: "V1PodSpec", named: "Collection[str]", more_helpers: "Collection[str]", client: "Configuration"
) -> tuple[MainContainer, ...]:
    """Those that are named, or every regular container that is neither the proxy nor a helper which never ends."""
    containers = {container_field.name(one): one for one in spec.containers or []}
    for name in named:
        if name not in containers:
            raise NeedsAttention(f"its annotation {ANNOTATION} names {name!r}: it has no such container")
    # The proxy is in a pod that was injected before.
    others = {PROXY, *ENDLESS_HELPERS, *more_helpers}
    chosen = named or [name for name in containers if name not in others]
    if not chosen:
        names = ", ".join(containers) or "none"
        raise NeedsAttention(f"it has no main container, whose end is the end of the task: its containers are {names}")
    return tuple(_of(containers[name], client) for name in chosen)


def _of(container: "Container", client: "Configuration") -> MainContainer:
    rules = container_field.value(container, "restart_policy_rules")
    return MainContainer(
        name=container_field.name(container),
        restart_policy=container_field.value(container, "restart_policy"),
        restart_rules=json.dumps(ApiClient(client).sanitize_for_serialization(rules)) if rules else None,
    )
