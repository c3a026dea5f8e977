"""The changes that give a pod an agent. This module changes no pod, makes no request and reads no clock."""

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kubernetes.client import Configuration, V1LocalObjectReference

from exeunt_airflow import (
    agent_container,
    container_field,
    eligibility,
    grace_period,
    helpers,
    main_containers,
    module_mount,
    proxy_config,
    sharing,
    workload_name,
)
from exeunt_airflow.container_names import PROXY
from exeunt_airflow.form import NATIVE_PROXY
from exeunt_airflow.unchanged import NeedsAttention

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kubernetes.client import V1ObjectMeta, V1Pod, V1PodSpec

    from exeunt_airflow.container_field import Container
    from exeunt_airflow.form import Form
    from exeunt_airflow.helpers import Helpers
    from exeunt_airflow.main_containers import MainContainer
    from exeunt_airflow.settings import Settings

DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True)
class Mutation:
    """The metadata and the spec of the pod with an agent."""

    metadata: "V1ObjectMeta"
    spec: "V1PodSpec"
    # The pod's new grace period, if it is longer than before.
    raised_grace_period: int | None

    def apply(self, pod: "V1Pod") -> None:
        """Replaces both in the pod. Neither assignment can fail, so the pod is never half changed."""
        pod.metadata, pod.spec = self.metadata, self.spec


def mutation_of(pod: "V1Pod", settings: "Settings", form_of: "Callable[[V1Pod], Form]") -> Mutation:
    """The changes for this pod, or `Unchanged` with the reason. `form_of` is called only for a pod that may get an agent."""
    if pod.metadata is None or pod.spec is None:
        raise NeedsAttention("it has no metadata or no spec")
    eligibility.check(pod.metadata, pod.spec, settings)
    form = form_of(pod)
    client = pod.local_vars_configuration or Configuration()
    main: tuple[MainContainer, ...] = ()
    told = helpers.of(pod, settings)
    if form.shares_processes or told.are_to_end:
        eligibility.check_processes(pod.spec)
        sharing.check(pod.spec, settings)
        named = main_containers.named(pod.metadata.annotations or {})
        main = main_containers.find(pod.spec, named, settings.endless_helpers, client)
    raised = grace_period.raised(pod.spec, form, settings)
    return Mutation(
        _metadata(pod.metadata, main, form, settings), _spec(pod.spec, main, told, form, raised, settings, client), raised
    )


def _metadata(before: "V1ObjectMeta", main: "Sequence[MainContainer]", form: "Form", settings: "Settings") -> "V1ObjectMeta":
    labels, annotations = dict(before.labels or {}), dict(before.annotations or {})
    labels[eligibility.DRAIN_LABEL] = "on"
    name = workload_name.missing(labels, annotations)
    if name is not None:
        labels[workload_name.LABEL] = name
    # The pod's own labels count first.
    labels = dict(settings.labels) | labels
    config = proxy_config.merged(annotations.get(proxy_config.ANNOTATION), form, settings)
    if config is not None:
        annotations[proxy_config.ANNOTATION] = config
    if form.proxy == "native":
        annotations[NATIVE_PROXY] = "true"
    annotations |= module_mount.annotations(annotations, settings)
    if form.agent == "regular":
        # Istio would choose the first container, which is the agent.
        annotations.setdefault(DEFAULT_CONTAINER, main[0].name)
    after = copy.copy(before)
    after.labels, after.annotations = labels, annotations
    return after


def _spec(
    before: "V1PodSpec",
    main: "Sequence[MainContainer]",
    told: "Helpers",
    form: "Form",
    raised: int | None,
    settings: "Settings",
    client: Configuration,
) -> "V1PodSpec":
    after = copy.copy(before)
    if raised is not None:
        after.termination_grace_period_seconds = raised
    agent = agent_container.container(after, main, told, form, settings, client)
    if main:
        after.share_process_namespace = True
        after.volumes = [*(before.volumes or []), agent_container.volume(client)]
    if form.agent == "native":
        after.init_containers = _behind_proxy(agent, before.init_containers or [])
    else:
        # Kubelet starts containers in order: the first one sees every other one start.
        after.containers = [agent, *before.containers]
    present = {secret.name for secret in before.image_pull_secrets or []}
    missing = [name for name in settings.image_pull_secrets if name not in present]
    if missing:
        secrets = [V1LocalObjectReference(name=name, local_vars_configuration=client) for name in missing]
        after.image_pull_secrets = [*(before.image_pull_secrets or []), *secrets]
    return after


def _behind_proxy(agent: "Container", others: "list[Container]") -> "list[Container]":
    """The agent in front of all other init containers: Istio's injector puts the proxy in front of the agent.

    Kubelet ends native sidecars in the reverse order of this list. So all other sidecars have ended when the agent drains the
    proxy, and the proxy ends when the agent has left. In a pod that was injected before, the proxy is already in the list.
    """
    position = next((index + 1 for index, container in enumerate(others) if container_field.name(container) == PROXY), 0)
    return [*others[:position], agent, *others[position:]]
