"""Which pods are given an agent."""

from typing import TYPE_CHECKING

from exeunt_airflow.reasons import InDoubt, NotConcerned
from exeunt_airflow.settings import Settings

if TYPE_CHECKING:
    from kubernetes.client import V1ObjectMeta, V1PodSpec

NAME = "exeunt"
DRAIN_LABEL = "exeunt.dev/drain"
# Istio reads the label first and takes the annotation where there is none (istio pkg/kube/inject/inject.go, injectRequired).
INJECT = "sidecar.istio.io/inject"
# How istiod and strconv.ParseBool spell it.
_FALSE = ("false", "False", "FALSE", "f", "F", "0", "n", "no", "off")
_RESTART_POLICIES = ("Never", "OnFailure")


def check(metadata: "V1ObjectMeta", spec: "V1PodSpec", settings: Settings) -> None:
    """Returns if the pod may be given an agent, else raises why not."""
    _check_wanted(metadata, settings)
    _check_new(spec)
    _check_possible(spec)


def _check_wanted(metadata: "V1ObjectMeta", settings: Settings) -> None:
    labels, annotations = metadata.labels or {}, metadata.annotations or {}
    wish = labels.get(DRAIN_LABEL)
    if wish not in (None, "on", "off"):
        raise InDoubt(f"label {DRAIN_LABEL} is {wish!r}: must be on or off")
    if wish == "off" or (wish is None and settings.mode == "opt-in"):
        raise NotConcerned("it does not take part")
    if settings.namespaces and metadata.namespace not in settings.namespaces:
        raise NotConcerned(f"namespace {metadata.namespace} is not among [exeunt] namespaces")
    if labels.get(INJECT, annotations.get(INJECT, "")) in _FALSE:
        raise NotConcerned(f"{INJECT} is false: it has no proxy")


def _check_new(spec: "V1PodSpec") -> None:
    containers = [*(spec.init_containers or []), *(spec.containers or [])]
    if any(container.name == NAME for container in containers):
        raise NotConcerned("it has its agent")
    if any(volume.name == NAME for volume in spec.volumes or []):
        raise InDoubt(f"it has a volume {NAME} and no container of that name")


def _check_possible(spec: "V1PodSpec") -> None:
    if spec.host_network:
        raise NotConcerned("it uses the network of its node, where Istio puts no proxy")
    # Airflow of 2.8 does not know the field.
    system = getattr(getattr(spec, "os", None), "name", None)
    if system not in (None, "linux") or (spec.node_selector or {}).get("kubernetes.io/os") == "windows":
        raise NotConcerned("it is not for Linux")
    if spec.share_process_namespace is False:
        raise InDoubt("it says shareProcessNamespace: false, and the agent could not see the main container")
    if spec.host_pid:
        raise InDoubt("it uses the process namespace of its node, which cannot be shared within the pod as well")
    # Kubernetes takes none for Always.
    policy = spec.restart_policy or "Always"
    if policy not in _RESTART_POLICIES:
        raise InDoubt(f"its restartPolicy is {policy}: must be one of {', '.join(_RESTART_POLICIES)}, else it never ends")
