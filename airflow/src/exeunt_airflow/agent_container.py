"""The container that is added, as Kubernetes' Python client has it."""

from typing import TYPE_CHECKING

from kubernetes.client import (
    V1Capabilities,
    V1Container,
    V1EmptyDirVolumeSource,
    V1EnvVar,
    V1EnvVarSource,
    V1ObjectFieldSelector,
    V1ResourceRequirements,
    V1SeccompProfile,
    V1SecurityContext,
    V1Volume,
    V1VolumeMount,
)

from exeunt_airflow.eligible import NAME
from exeunt_airflow.settings import Settings

if TYPE_CHECKING:
    from kubernetes.client import Configuration, V1PodSpec

# Where a restarted agent finds what it knew.
_STATE = "/run/exeunt"
# Its own: not Istio's 1337, and no task's, so that Airflow's `pgrep -u` for the XCom helper never finds it.
_UID = 65532
# What Kubernetes gives a pod that says nothing, and the agent assumes.
_GRACE_S = 30
_SIGNAL_PORT = Settings.signal_port
_DRAIN_TIMEOUT = Settings.drain_timeout


def arguments(spec: "V1PodSpec", main: str, placement: str, settings: Settings) -> list[str]:
    """What the agent must be told; its own defaults are left out."""
    words = ["watch", "--container", main, "--placement", placement, "--restart-policy", spec.restart_policy or "Always"]
    words += ["--state-dir", _STATE]
    grace = spec.termination_grace_period_seconds
    if grace is not None and grace != _GRACE_S:
        words += ["--grace-period", f"{grace}s"]
    if settings.signal_port != _SIGNAL_PORT:
        words += ["--signal-port", str(settings.signal_port)]
    if settings.drain_timeout != _DRAIN_TIMEOUT:
        words += ["--drain-timeout", settings.drain_timeout]
    return words


def container(spec: "V1PodSpec", main: str, placement: str, settings: Settings, models: "Configuration") -> V1Container:
    """The agent. `models` spares each of these objects a configuration of its own, which costs more than all the rest."""
    status = V1EnvVar(
        name="EXEUNT_ISTIO_STATUS",
        value_from=V1EnvVarSource(
            field_ref=V1ObjectFieldSelector(
                field_path="metadata.annotations['sidecar.istio.io/status']", local_vars_configuration=models
            ),
            local_vars_configuration=models,
        ),
        local_vars_configuration=models,
    )
    agent = V1Container(
        name=NAME,
        image=settings.image,
        image_pull_policy=settings.image_pull_policy or None,
        args=arguments(spec, main, placement, settings),
        env=[status],
        resources=V1ResourceRequirements(
            requests={"cpu": settings.cpu_request, "memory": settings.memory_request},
            limits={"memory": settings.memory_limit},
            local_vars_configuration=models,
        ),
        security_context=_security(models),
        volume_mounts=[V1VolumeMount(name=NAME, mount_path=_STATE, local_vars_configuration=models)],
        local_vars_configuration=models,
    )
    if placement == "native":
        agent.restart_policy = "Always"
    return agent


def volume(models: "Configuration") -> V1Volume:
    """The folder for its memory."""
    source = V1EmptyDirVolumeSource(size_limit="1Mi", local_vars_configuration=models)
    return V1Volume(name=NAME, empty_dir=source, local_vars_configuration=models)


def _security(models: "Configuration") -> V1SecurityContext:
    return V1SecurityContext(
        run_as_user=_UID,
        run_as_group=_UID,
        run_as_non_root=True,
        read_only_root_filesystem=True,
        allow_privilege_escalation=False,
        capabilities=V1Capabilities(drop=["ALL"], local_vars_configuration=models),
        seccomp_profile=V1SeccompProfile(type="RuntimeDefault", local_vars_configuration=models),
        local_vars_configuration=models,
    )
