"""The filter's file without a registry: a ConfigMap that stands in the namespace of the pods."""

import base64
from pathlib import Path
from typing import Any

Json = dict[str, Any]

NAME = "exeunt-module"
# How the suffix begins of the namespaces whose ConfigMap is missing.
MISSING = "no-module"


def config_map(module: Path) -> Json:
    """The ConfigMap that the template and the policies mount into istio-proxy."""
    data = {"plugin.wasm": base64.b64encode(module.read_bytes()).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "binaryData": data}
