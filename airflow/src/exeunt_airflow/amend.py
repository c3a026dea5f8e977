"""A pod, and what it is with an agent. Nothing here changes the pod that came, asks anybody, or reads a clock."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubernetes.client import Configuration, V1LocalObjectReference

from exeunt_airflow import agent_container, eligible, main_container, names, proxy_config
from exeunt_airflow.reasons import InDoubt
from exeunt_airflow.settings import Settings

if TYPE_CHECKING:
    from kubernetes.client import V1ObjectMeta, V1Pod, V1PodSpec

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True)
class Amended:
    """What takes the place of the pod's own."""

    metadata: "V1ObjectMeta"
    spec: "V1PodSpec"

    def apply(self, pod: "V1Pod") -> None:
        """Two assignments, neither of which can fail."""
        pod.metadata, pod.spec = self.metadata, self.spec


def amend(pod: "V1Pod", settings: Settings, placement_of: Callable[["V1Pod"], str]) -> Amended:
    """The pod with an agent, or `Untouched` with the reason; `placement_of` is asked only for a pod that gets one."""
    if pod.metadata is None or pod.spec is None:
        raise InDoubt("it has no metadata or no spec")
    eligible.check(pod.metadata, pod.spec, settings)
    main = main_container.find(pod.spec, settings.main_container).name
    metadata = _metadata(pod.metadata, main, settings)
    return Amended(metadata, _spec(pod, main, placement_of(pod), settings))


def _metadata(before: "V1ObjectMeta", main: str, settings: Settings) -> "V1ObjectMeta":
    labels, annotations = dict(before.labels or {}), dict(before.annotations or {})
    labels[eligible.DRAIN_LABEL] = "on"
    name = names.missing(labels, annotations)
    if name is not None:
        labels[names.LABEL] = name
    annotations[proxy_config.ANNOTATION] = proxy_config.merged(annotations.get(proxy_config.ANNOTATION), settings)
    annotations.setdefault(DEFAULT_CONTAINER, main)
    after = copy.copy(before)
    after.labels, after.annotations = labels, annotations
    return after


def _spec(pod: "V1Pod", main: str, placement: str, settings: Settings) -> "V1PodSpec":
    before = pod.spec
    models = pod.local_vars_configuration or Configuration()
    agent = agent_container.container(before, main, placement, settings, models)
    after = copy.copy(before)
    after.share_process_namespace = True
    after.volumes = [*(before.volumes or []), agent_container.volume(models)]
    if placement == "native":
        after.init_containers = [agent, *(before.init_containers or [])]
    else:
        # Kubelet starts containers in order: the first is there before the main one has begun.
        after.containers = [agent, *before.containers]
    known = {secret.name for secret in before.image_pull_secrets or []}
    new = [name for name in settings.image_pull_secrets if name not in known]
    if new:
        secrets = [V1LocalObjectReference(name=name, local_vars_configuration=models) for name in new]
        after.image_pull_secrets = [*(before.image_pull_secrets or []), *secrets]
    return after
