"""The filter's file without a registry: a ConfigMap that stands in the namespace of the pods."""

import base64
from pathlib import Path
from typing import Any

from ..site import Site

Json = dict[str, Any]


def install(site: Site, namespace: str) -> None:
    """Creates the ConfigMap, if proxies have the filter from there."""
    if site.options.module is not None:
        site.kube.create(namespace, config_map(site.options.module))


def config_map(module: Path) -> Json:
    """The ConfigMap that the template and the policy mount into istio-proxy."""
    data = {"plugin.wasm": base64.b64encode(module.read_bytes()).decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "exeunt-module"}, "binaryData": data}
