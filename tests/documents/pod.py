"""The pod of a Job, as it is when it has ended beside its proxy."""

import copy
import json
from functools import cache

import yaml

from chart.programs import ROOT, Resource

POD = "upload-job-7k2xq"
# A run of ./build.sh e2e.
_RECORDED = ROOT / "docs" / "cluster" / "istio-1.30.3.json"


@cache
def _verdict(scenario: str) -> str:
    results = json.loads(_RECORDED.read_text())["results"]
    return json.dumps(next(one["facts"]["verdict"] for one in results if one["name"] == scenario))


def pod_of(job: Resource) -> Resource:
    """The pod that a Job gets."""
    name = job["metadata"]["name"]
    pod: Resource = copy.deepcopy(job["spec"]["template"])
    metadata = pod.setdefault("metadata", {})
    metadata |= {"name": POD if name == "upload-job" else f"{name}-x5k2p", "namespace": "jobs"}
    metadata.setdefault("labels", {})["job-name"] = name
    settings = yaml.safe_load(metadata.get("annotations", {}).get("proxy.istio.io/config", "{}"))
    variables = [{"name": name, "value": value} for name, value in settings.get("proxyMetadata", {}).items()]
    proxy = {"name": "istio-proxy", "image": "istio/proxyv2", "env": variables}
    if _is_native(pod):
        pod["spec"].setdefault("initContainers", []).insert(0, proxy | {"restartPolicy": "Always"})
    else:
        pod["spec"]["containers"].append(proxy)
    status: Resource = {"phase": "Succeeded"}
    for place in ("initContainers", "containers"):
        status[f"{place.removesuffix('s')}Statuses"] = [
            {"name": one["name"], "state": {"terminated": _ended(pod, one["name"])}} for one in pod["spec"].get(place, [])
        ]
    return pod | {"apiVersion": "v1", "kind": "Pod", "status": status}


def _is_native(pod: Resource) -> bool:
    return pod["metadata"].get("annotations", {}).get("sidecar.istio.io/nativeSidecar") == "true"


def _verdict_of(pod: Resource) -> str:
    return _verdict("slow-native-native" if _is_native(pod) else "slow-classic-native")


def _ended(pod: Resource, container: str) -> Resource:
    return {"exitCode": 0, "reason": "Completed"} | ({"message": _verdict_of(pod)} if container == "exeunt" else {})


def log_of(pod: Resource, container: str) -> str:
    """What a container of it has written; without a name, the container that kubectl would choose."""
    names = [one["name"] for place in ("initContainers", "containers") for one in pod["spec"].get(place, [])]
    container = container or pod["metadata"].get("annotations", {}).get("kubectl.kubernetes.io/default-container", names[-1])
    if container not in names:
        raise KeyError(f"container {container} is not valid for pod {pod['metadata']['name']}")
    return f"{_verdict_of(pod)}\n" if container == "exeunt" else "2026-11-23T12:00:00Z info wasm fetching image\n"
