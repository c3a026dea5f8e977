"""The changes that give a pod an agent. This module changes no pod, makes no request and reads no clock."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubernetes.client import Configuration, V1LocalObjectReference

from exeunt_airflow import agent_container, eligibility, main_container, proxy_config, workload_name
from exeunt_airflow.unchanged import NeedsAttention

if TYPE_CHECKING:
    from kubernetes.client import V1ObjectMeta, V1Pod, V1PodSpec

    from exeunt_airflow.placement import Placed
    from exeunt_airflow.settings import Settings

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True)
class Mutation:
    """The metadata and the spec of the pod with an agent."""

    metadata: "V1ObjectMeta"
    spec: "V1PodSpec"

    def apply(self, pod: "V1Pod") -> None:
        """Replaces both in the pod. Neither assignment can fail, so the pod is never half changed."""
        pod.metadata, pod.spec = self.metadata, self.spec


def mutation_of(pod: "V1Pod", settings: "Settings", place: "Callable[[V1Pod], Placed]") -> Mutation:
    """The changes for this pod, or `Unchanged` with the reason. `place` is called only for a pod that gets an agent."""
    if pod.metadata is None or pod.spec is None:
        raise NeedsAttention("it has no metadata or no spec")
    eligibility.check(pod.metadata, pod.spec, settings)
    main = main_container.find(pod.spec, settings.main_container).name
    metadata = _metadata(pod.metadata, main, settings)
    return Mutation(metadata, _spec(pod, main, place(pod), settings))


def _metadata(before: "V1ObjectMeta", main: str, settings: "Settings") -> "V1ObjectMeta":
    labels, annotations = dict(before.labels or {}), dict(before.annotations or {})
    labels[eligibility.DRAIN_LABEL] = "on"
    name = workload_name.missing(labels, annotations)
    if name is not None:
        labels[workload_name.LABEL] = name
    annotations[proxy_config.ANNOTATION] = proxy_config.merged(annotations.get(proxy_config.ANNOTATION), settings)
    annotations.setdefault(DEFAULT_CONTAINER, main)
    after = copy.copy(before)
    after.labels, after.annotations = labels, annotations
    return after


def _spec(pod: "V1Pod", main: str, placed: "Placed", settings: "Settings") -> "V1PodSpec":
    before = pod.spec
    client = pod.local_vars_configuration or Configuration()
    agent = agent_container.container(before, main, placed, settings, client)
    after = copy.copy(before)
    after.share_process_namespace = True
    after.volumes = [*(before.volumes or []), agent_container.volume(client)]
    if placed == "native":
        after.init_containers = [agent, *(before.init_containers or [])]
    else:
        # Kubelet starts containers in order: the first one runs before the main container starts.
        after.containers = [agent, *before.containers]
    present = {secret.name for secret in before.image_pull_secrets or []}
    missing = [name for name in settings.image_pull_secrets if name not in present]
    if missing:
        secrets = [V1LocalObjectReference(name=name, local_vars_configuration=client) for name in missing]
        after.image_pull_secrets = [*(before.image_pull_secrets or []), *secrets]
    return after
