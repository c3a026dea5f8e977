"""Istio's injector: adds the proxy to a pod, as far as these tests need it."""

import json
from typing import Literal

from exeunt_airflow.container_names import PROXY

from .store import Json

# classic: the proxy is a regular container. native: it is a native sidecar.
Form = Literal["classic", "native"]
_IMAGE = "docker.io/istio/proxyv2:1.29.6"


def inject(pod: Json, form: Form) -> None:
    """Adds the proxy, and the annotation that tells where it is."""
    proxy = {"name": PROXY, "image": _IMAGE}
    added: Json = {"initContainers": ["istio-init"], "containers": [PROXY]}
    if form == "native":
        added = {"initContainers": ["istio-init", PROXY], "containers": None}
        pod["spec"]["initContainers"] = [proxy | {"restartPolicy": "Always"}, *(pod["spec"].get("initContainers") or [])]
    else:
        pod["spec"]["containers"] = [*pod["spec"]["containers"], proxy]
    annotations = pod["metadata"]["annotations"] = pod["metadata"].get("annotations") or {}
    annotations["sidecar.istio.io/status"] = json.dumps(added | {"volumes": [], "imagePullSecrets": None, "revision": "default"})
