"""What Airflow shows of this package: `airflow providers list`, and the section [exeunt] in `airflow config list`."""

from dataclasses import fields
from typing import Any

from exeunt_airflow.settings import SECTION, Settings
from exeunt_airflow.version import VERSION

# One sentence for each setting. docs/airflow.md has the whole story.
_DESCRIPTIONS = {
    "enabled": "Whether pods get exeunt's agent.",
    "mode": "opt-out: all pods but those with the label exeunt.dev/drain: off. opt-in: only pods with this label set to on.",
    "namespaces": "The namespaces whose pods get an agent, with commas. Empty: all.",
    "image": "The agent's image.",
    "image_pull_policy": "Always, IfNotPresent or Never. Empty: kubelet's own default.",
    "image_pull_secrets": "Names of secrets, with commas, which are added to those of the pod.",
    "proxy": "native: the proxy becomes native. keep: it stays as Istio makes it. auto: native from Kubernetes 1.32 on.",
    "placement": "The agent is a native sidecar (native) or a regular container (regular). auto: as the cluster can.",
    "share_processes": "Which pods may share their processes beside a classic proxy: always, unless-root or never.",
    "uid": "The agent's user, which no other container has. none: that of its image, or the one that the cluster assigns.",
    "seccomp": "The agent's seccomp profile: RuntimeDefault, or none.",
    "endless_helpers": "Containers that never end by themselves, with commas, besides those that exeunt knows.",
    "quit_endpoints": "Requests that end helpers, as NAME=[METHOD ]URL with commas.",
    "quit_signals": "Signals that end helpers, as NAME=SIGNAL with commas.",
    "also_wait": "Helpers that end by themselves and need the proxy until then, with commas.",
    "signal_route": "annotation: the hook gives the pod a signal listener. service-entry: the cluster has one.",
    "signal_port": "The port of the signal listener, as in wasmplugin.yaml.",
    "module": "Where istio-proxy finds the plugin's module: none (the url of the plugin), configMap or image.",
    "drain_timeout": "How long the agent waits for the whole delivery. Empty: the plugin's limit, or 5m.",
    "grace_period": "Pods beside native proxies get at least so many seconds. 0: they keep their own.",
    "cpu_request": "The processor time that the agent requests, or none.",
    "cpu_limit": "The agent's limit of processor time, or none.",
    "memory_request": "The memory that the agent requests, or none.",
    "memory_limit": "The agent's limit of memory, at least 12Mi, or none.",
    "labels": "More labels for the pod, as NAME=VALUE with commas.",
    "arguments": "More options for the agent, quoted as in a shell.",
    "probes": "Probes of the agent's container, as JSON.",
    "add_callback": "Whether every KubernetesPodOperator gets ExeuntCallback, which waits for the delivery and tells of it.",
    "fail_on_loss": "Whether ExeuntCallback fails a task whose data did not arrive.",
}
_EXAMPLES = {
    "namespaces": "airflow-tasks,reports",
    "image": "registry.example.com/team/exeunt-agent:0.1.0",
    "image_pull_secrets": "mirror",
    "uid": "none",
    "endless_helpers": "log-shipper",
    "quit_endpoints": "cloud-sql-proxy=http://127.0.0.1:9092/quitquitquit",
    "quit_signals": "renewer=TERM",
    "also_wait": "uploader",
    "drain_timeout": "2m",
    "grace_period": "60",
    "cpu_limit": "100m",
    "labels": "team=data",
    "arguments": "--stall-timeout 30s",
    "probes": '{"livenessProbe": {"exec": {"command": ["/exeunt-agent", "--version"]}, "periodSeconds": 60}}',
}
_TYPES = {bool: "boolean", int: "integer"}


def get_provider_info() -> dict[str, Any]:
    """Airflow calls this through the entry point group `apache_airflow_provider`."""
    return {
        "package-name": "exeunt-airflow",
        "name": "exeunt",
        "description": "Pods under Istio end when their task ends, with everything delivered.",
        "config": {SECTION: {"description": "exeunt's agent in the pods of tasks.", "options": _options()}},
    }


def as_text(value: Any) -> str:
    """A value as one writes it in airflow.cfg. Only for those that a setting has by default."""
    if value is None:
        return "none"
    return "" if value == () else str(value)


def _options() -> dict[str, dict[str, Any]]:
    defaults = Settings()
    return {
        field.name: {
            "description": _DESCRIPTIONS[field.name],
            "version_added": VERSION,
            "type": _TYPES.get(type(getattr(defaults, field.name)), "string") if field.name != "uid" else "string",
            "example": _EXAMPLES.get(field.name),
            "default": as_text(getattr(defaults, field.name)),
        }
        for field in fields(Settings)
    }
