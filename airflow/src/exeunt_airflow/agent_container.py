"""The agent's container and volume, as objects of the Kubernetes client.

Every function takes `client`, a configuration of the Kubernetes client. Without it each object would make one of its own, which
takes longer than everything else in the hook.
"""

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

from exeunt_airflow import grace_period, resources
from exeunt_airflow.container_names import AGENT
from exeunt_airflow.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubernetes.client import Configuration, V1PodSpec

    from exeunt_airflow.form import Form
    from exeunt_airflow.helpers import Helpers
    from exeunt_airflow.main_containers import MainContainer

# A restarted agent continues with what it finds here.
_STATE_FOLDER = "/run/exeunt"


def arguments(spec: "V1PodSpec", main: "Sequence[MainContainer]", form: "Form", settings: Settings) -> list[str]:
    """The agent's arguments. `main` is empty if kubelet tells the end of the task."""
    words = ["watch"]
    for one in main:
        words += ["--container", one.name]
    # Envoy tells the placement too, but the hook also gets pods without a proxy. There an agent that is told does not restart.
    words += ["--placement", form.agent]
    if main:
        words += [*_restarts(spec, main), "--state-dir", _STATE_FOLDER]
    words += grace_period.arguments(spec)
    # The agent's own default.
    if settings.signal_port != Settings.signal_port:
        words += ["--signal-port", str(settings.signal_port)]
    # A limit that is told counts instead of the plugin's, also if it is the agent's own default.
    if settings.drain_timeout:
        words += ["--drain-timeout", settings.drain_timeout]
    return [*words, *settings.arguments]


def container(
    spec: "V1PodSpec",
    main: "Sequence[MainContainer]",
    helpers: "Helpers",
    form: "Form",
    settings: Settings,
    client: "Configuration",
) -> V1Container:
    """The agent's container."""
    agent = V1Container(
        name=AGENT,
        image=settings.image,
        image_pull_policy=settings.image_pull_policy or None,
        args=arguments(spec, main, form, settings),
        resources=_resources(spec, settings, client),
        security_context=_security(settings, client),
        # The client sends a mapping as it is.
        **dict(settings.probes),
        local_vars_configuration=client,
    )
    if main:
        told = [V1EnvVar(name=name, value=value, local_vars_configuration=client) for name, value in helpers.variables]
        agent.env = [_istio_status(client), *told]
        agent.volume_mounts = [V1VolumeMount(name=AGENT, mount_path=_STATE_FOLDER, local_vars_configuration=client)]
    if form.agent == "native":
        agent.restart_policy = "Always"
    elif form.own_restart_policy:
        # It always exits with 0, so kubelet restarts it only if it was killed.
        agent.restart_policy = "OnFailure"
    return agent


def _restarts(spec: "V1PodSpec", main: "Sequence[MainContainer]") -> list[str]:
    """When kubelet restarts a main container. The agent finds that out too, but it must then wait after each failure."""
    words = ["--restart-policy", spec.restart_policy or "Always"]
    for one in main:
        if one.restart_policy:
            words += ["--restart-policy", f"{one.name}={one.restart_policy}"]
        if one.restart_rules:
            words += ["--restart-rules", f"{one.name}={one.restart_rules}"]
    return words


def volume(client: "Configuration") -> V1Volume:
    """The volume for the agent's state."""
    source = V1EmptyDirVolumeSource(size_limit="1Mi", local_vars_configuration=client)
    return V1Volume(name=AGENT, empty_dir=source, local_vars_configuration=client)


def _istio_status(client: "Configuration") -> V1EnvVar:
    """Tells the agent which containers Istio has injected."""
    path = "metadata.annotations['sidecar.istio.io/status']"
    field = V1ObjectFieldSelector(field_path=path, local_vars_configuration=client)
    source = V1EnvVarSource(field_ref=field, local_vars_configuration=client)
    return V1EnvVar(name="EXEUNT_ISTIO_STATUS", value_from=source, local_vars_configuration=client)


def _resources(spec: "V1PodSpec", settings: Settings, client: "Configuration") -> V1ResourceRequirements | None:
    amounts = resources.of(settings, spec)
    if amounts is None:
        return None
    requests, limits = amounts
    return V1ResourceRequirements(requests=requests or None, limits=limits or None, local_vars_configuration=client)


def _security(settings: Settings, client: "Configuration") -> V1SecurityContext:
    seccomp = None
    if settings.seccomp != "none":
        seccomp = V1SeccompProfile(type=settings.seccomp, local_vars_configuration=client)
    return V1SecurityContext(
        run_as_user=settings.uid,
        run_as_group=settings.uid,
        run_as_non_root=True,
        read_only_root_filesystem=True,
        allow_privilege_escalation=False,
        capabilities=V1Capabilities(drop=["ALL"], local_vars_configuration=client),
        seccomp_profile=seccomp,
        local_vars_configuration=client,
    )
