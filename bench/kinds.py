"""The Jobs that are compared: the same task, without exeunt and with it, and with the plugin from each source."""

import base64
import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
# Each with what it is.
KINDS = {
    "without": "no exeunt",
    "injected": "no line of exeunt's: the cluster itself adds the agent",
    "lines": "the agent, by the lines of deploy/samples",
    "registry": "the same, and the plugin: each proxy pulls it",
    "configMap": "the same, and the plugin from a ConfigMap",
    "imageVolume": "the same, and the plugin from an image volume",
}
FORMS = {"native": "job.yaml", "classic": "job-classic.yaml"}
WITH_PLUGIN = ("registry", "configMap", "imageVolume")
MAIN, AGENT, PROXY = "main", "exeunt", "istio-proxy"
# The file in a proxy, and the object that it comes from.
_FOLDER, _FILE, _MODULE = "/etc/exeunt", "plugin.wasm", "exeunt-module"
_LABEL = "exeunt.dev/drain"


def job(
    name: str, kind: str, form: str, *, agent_image: str, task_image: str, module_image: str, pods: int, sleep_s: int
) -> Json:
    """A Job of some pods that all start at once."""
    import yaml

    body: Json = yaml.safe_load((ROOT / "deploy" / "samples" / FORMS[form]).read_text())
    template = body["spec"]["template"]
    if kind in ("without", "injected"):
        _remove_exeunt(template)
    annotations = template["metadata"].setdefault("annotations", {})
    annotations["sidecar.istio.io/nativeSidecar"] = "true" if form == "native" else "false"
    if kind == "without":
        # No installation in the cluster adds the agent to this one.
        template["metadata"]["labels"] = {_LABEL: "off"}
    if kind in ("configMap", "imageVolume"):
        source: Json = {"configMap": {"name": _MODULE}}
        if kind == "imageVolume":
            source = {"image": {"reference": module_image, "pullPolicy": "IfNotPresent"}}
        annotations["sidecar.istio.io/userVolume"] = json.dumps([{"name": _MODULE, **source}])
        annotations["sidecar.istio.io/userVolumeMount"] = json.dumps([{"name": _MODULE, "mountPath": _FOLDER, "readOnly": True}])
    for one in (*template["spec"].get("initContainers", []), *template["spec"]["containers"]):
        one["image"] = agent_image if one["name"] == AGENT else task_image
        one["imagePullPolicy"] = "IfNotPresent"
        if one["name"] == MAIN:
            one["command"] = ["sleep", str(sleep_s)]
    body["metadata"]["name"] = name
    body["spec"] |= {"backoffLimit": 0, "completions": pods, "parallelism": pods}
    return body


def _remove_exeunt(template: Json) -> None:
    template["metadata"].pop("labels", None)
    template["metadata"].pop("annotations", None)
    spec = template["spec"]
    for name in ("initContainers", "volumes", "shareProcessNamespace"):
        spec.pop(name, None)


def objects(kind: str, plugin_url: str, module: Path) -> list[Json]:
    """What a namespace needs for its kind."""
    import yaml

    if kind not in WITH_PLUGIN:
        return []
    plugin: Json = yaml.safe_load((ROOT / "wasmplugin.yaml").read_text())
    plugin["spec"]["url"] = plugin_url if kind == "registry" else f"file://{_FOLDER}/{_FILE}"
    made = [plugin]
    if kind == "configMap":
        content = base64.b64encode(module.read_bytes()).decode()
        made.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": _MODULE}, "binaryData": {_FILE: content}})
    return made


def has_agent(pod: Json) -> bool:
    """Whether the pod has an agent, whoever has added it."""
    spec = pod["spec"]
    return any(one["name"] == AGENT for one in (*spec.get("initContainers", []), *spec["containers"]))
