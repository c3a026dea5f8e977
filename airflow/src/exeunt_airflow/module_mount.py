"""The plugin's module as a file of istio-proxy, which needs no registry then.

Istio's injector reads two annotations of the pod, each a JSON object: the volumes, and where istio-proxy mounts them.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from exeunt_airflow.settings import Settings

_VOLUME, _MOUNT = "sidecar.istio.io/userVolume", "sidecar.istio.io/userVolumeMount"
# The name of the volume and of the ConfigMap, and the folder of the plugin's url: file:///etc/exeunt/plugin.wasm.
_NAME, _FOLDER = "exeunt-module", "/etc/exeunt"


def annotations(before: Mapping[str, str], settings: "Settings") -> dict[str, str]:
    """Both annotations, with those of the pod merged. None if the module has another source, or the pod has something else there.

    The pod then runs without the plugin, and its agent drains by Envoy's admin interface.
    """
    if settings.module == "none" or any(word in before.get(key, "") for key in (_VOLUME, _MOUNT) for word in (_NAME, _FOLDER)):
        return {}
    own = {key: _object(before.get(key)) for key in (_VOLUME, _MOUNT)}
    if any(one is None for one in own.values()):
        return {}
    entries = {_VOLUME: _source(settings), _MOUNT: {"mountPath": _FOLDER, "readOnly": True}}
    return {key: json.dumps({_NAME: entry, **(own[key] or {})}, separators=(",", ":")) for key, entry in entries.items()}


def _source(settings: "Settings") -> dict[str, Any]:
    if settings.module == "configMap":
        return {"configMap": {"name": _NAME, "optional": True}}
    image = {"reference": settings.image}
    if settings.image_pull_policy:
        image["pullPolicy"] = settings.image_pull_policy
    return {"image": image}


def _object(text: str | None) -> dict[str, Any] | None:
    """A JSON object, or `None` if the text is none."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
