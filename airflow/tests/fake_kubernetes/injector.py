"""Istio's injector: adds the proxy to a pod, as far as these tests need it."""

import json
from typing import Literal

from exeunt_airflow.container_names import PROXY
from exeunt_airflow.form import NATIVE_PROXY

from .store import Json

# What Istio makes of a pod that does not say it itself. classic: the proxy is a regular container. native: it is a native
# sidecar. old: an Istio before 1.24, whose proxies are classic, whatever the pod says.
Form = Literal["classic", "native", "old"]
_IMAGE = "docker.io/istio/proxyv2:1.29.6"


def inject(pod: Json, form: Form) -> None:
    """Adds the proxy, and the annotation that tells where it is."""
    wanted = (pod["metadata"].get("annotations") or {}).get(NATIVE_PROXY)
    if wanted is not None and form != "old":
        form = "native" if wanted == "true" else "classic"
    proxy = {"name": PROXY, "image": _IMAGE}
    added: Json = {"initContainers": ["istio-init"], "containers": [PROXY]}
    if form == "native":
        added = {"initContainers": ["istio-init", PROXY], "containers": None}
        pod["spec"]["initContainers"] = [proxy | {"restartPolicy": "Always"}, *(pod["spec"].get("initContainers") or [])]
    else:
        pod["spec"]["containers"] = [*pod["spec"]["containers"], proxy]
    annotations = pod["metadata"]["annotations"] = pod["metadata"].get("annotations") or {}
    annotations["sidecar.istio.io/status"] = json.dumps(added | {"volumes": [], "imagePullSecrets": None, "revision": "default"})
