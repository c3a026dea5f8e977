"""The annotation proxy.istio.io/config: the user's YAML, with the settings that exeunt needs merged in.

The result is JSON, which every YAML reader understands in the same way. Comments are lost, values are not: if a value cannot be
kept with the meaning that it has for Istio, the pod stays unchanged.
"""

import json
from typing import TYPE_CHECKING, Any

import yaml

from exeunt_airflow.istio_yaml import IstioLoader
from exeunt_airflow.unchanged import NeedsAttention

if TYPE_CHECKING:
    from exeunt_airflow.form import Form
    from exeunt_airflow.settings import Settings

ANNOTATION = "proxy.istio.io/config"
# Adds the signal listener on 127.0.0.1 and ::1 (docs/decisions/0001-a-wasm-filter-with-an-agent.md).
SIGNAL_PORT = "ISTIO_META_HTTP_PROXY_PORT"
# When a pod is deleted, pilot-agent then waits for open connections instead of a fixed five seconds (istio
# pkg/istio-agent/agent.go).
EXIT_ON_ZERO = "EXIT_ON_ZERO_ACTIVE_CONNECTIONS"


def merged(text: str | None, form: "Form", settings: "Settings") -> str | None:
    """The value of the annotation with everything that exeunt needs. If nothing is missing, it is the same text, or none."""
    config = _parse(text)
    metadata = config.get("proxyMetadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise NeedsAttention(f"proxyMetadata in its annotation {ANNOTATION} is not a mapping")
    wanted = dict(metadata)
    if settings.signal_route == "annotation":
        port = str(wanted.setdefault(SIGNAL_PORT, str(settings.signal_port)))
        if port != str(settings.signal_port):
            raise NeedsAttention(
                f"{SIGNAL_PORT} in its annotation {ANNOTATION} is {port}: must be {settings.signal_port}, or absent"
            )
    if form.shares_processes:
        # The proxy may be a regular container. Kubelet ends a native one only when the agent has drained it and left.
        wanted.setdefault(EXIT_ON_ZERO, "true")
    if wanted == metadata:
        return text
    try:
        return json.dumps(config | {"proxyMetadata": wanted}, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise NeedsAttention(f"its annotation {ANNOTATION} has a value that JSON cannot express: {error}") from None


def _parse(text: str | None) -> dict[str, Any]:
    try:
        # The loader is a subclass of the safe one, which the lint does not see.
        config = yaml.load(text or "", Loader=IstioLoader)  # noqa: S506
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise NeedsAttention(f"its annotation {ANNOTATION} is not YAML: {reason}") from None
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise NeedsAttention(f"its annotation {ANNOTATION} is not a mapping")
    return config
