"""Decides which pods get an agent."""

from typing import TYPE_CHECKING

from exeunt_airflow import container_field
from exeunt_airflow.container_names import AGENT
from exeunt_airflow.unchanged import NeedsAttention, NotApplicable

if TYPE_CHECKING:
    from kubernetes.client import V1ObjectMeta, V1PodSpec

    from exeunt_airflow.settings import Settings

DRAIN_LABEL = "exeunt.dev/drain"
# Istio reads the label first, and the annotation only if there is no label (istio pkg/kube/inject/inject.go, injectRequired).
INJECT = "sidecar.istio.io/inject"
# Every way to write "false" that istiod and Go's strconv.ParseBool accept.
_FALSE = ("false", "False", "FALSE", "f", "F", "0", "n", "no", "off")
_RESTART_POLICIES = ("Never", "OnFailure")


def check(metadata: "V1ObjectMeta", spec: "V1PodSpec", settings: "Settings") -> None:
    """Returns if the pod may get an agent, and raises the reason if not."""
    _check_selected(metadata, settings)
    _check_no_agent_yet(spec)
    _check_supported(spec)
    _check_images(spec)


def check_processes(spec: "V1PodSpec") -> None:
    """Raises the reason if the containers of this pod cannot share their processes with an agent that also has a volume."""
    if spec.share_process_namespace is False:
        raise NeedsAttention("it sets shareProcessNamespace: false, so the agent could not see the main containers")
    if spec.host_pid:
        raise NeedsAttention("it uses the process namespace of its node, so its containers cannot share one of their own")
    if any(volume.name == AGENT for volume in spec.volumes or []):
        raise NeedsAttention(f"it has a volume named {AGENT}, but no container of that name")


def _check_selected(metadata: "V1ObjectMeta", settings: "Settings") -> None:
    labels, annotations = metadata.labels or {}, metadata.annotations or {}
    drain = labels.get(DRAIN_LABEL)
    if drain not in (None, "on", "off"):
        raise NeedsAttention(f"its label {DRAIN_LABEL} is {drain!r}: must be on or off")
    if drain == "off":
        raise NotApplicable(f"its label {DRAIN_LABEL} is off")
    if drain is None and settings.mode == "opt-in":
        raise NotApplicable(f"[exeunt] mode is opt-in, and it has no label {DRAIN_LABEL}")
    if settings.namespaces and metadata.namespace not in settings.namespaces:
        raise NotApplicable(f"its namespace {metadata.namespace} is not in [exeunt] namespaces")
    if labels.get(INJECT, annotations.get(INJECT, "")) in _FALSE:
        raise NotApplicable(f"{INJECT} is false: it has no proxy")


def _check_no_agent_yet(spec: "V1PodSpec") -> None:
    containers = [*(spec.init_containers or []), *(spec.containers or [])]
    if any(container_field.name(container) == AGENT for container in containers):
        raise NotApplicable("it already has an agent")


def _check_supported(spec: "V1PodSpec") -> None:
    if spec.host_network:
        raise NotApplicable("it uses the network of its node, where Istio injects no proxy")
    # The Kubernetes client of Airflow 2.8 does not have this field.
    system = getattr(getattr(spec, "os", None), "name", None)
    if system not in (None, "linux") or (spec.node_selector or {}).get("kubernetes.io/os") == "windows":
        raise NotApplicable("it does not run on Linux")
    # A pod without a restartPolicy has Always.
    policy = spec.restart_policy or "Always"
    if policy not in _RESTART_POLICIES:
        raise NeedsAttention(f"its restartPolicy is {policy}, so it never ends: must be one of {', '.join(_RESTART_POLICIES)}")


def _check_images(spec: "V1PodSpec") -> None:
    """Refuses a pod with a container without an image.

    After the hook, KubernetesJobOperator merges the job template into the pod, container by container in their order. A container
    of the template would be merged into the agent. A container without an image is the sign of this: the template has the image.
    """
    for container in spec.containers or []:
        if not container_field.value(container, "image"):
            raise NeedsAttention(
                f"its container {container_field.name(container)} has no image yet: a job template that is merged later would be "
                "merged wrongly"
            )
