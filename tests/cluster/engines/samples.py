"""The samples of deploy/samples, with the images and the tasks of a run."""

from pathlib import Path
from typing import Any

from ..shape import LABEL, TASK_UID, Where

Json = dict[str, Any]

_SAMPLES = Path(__file__).resolve().parents[3] / "deploy" / "samples"
# The ConfigMaps with the programs of the package `cluster`, and of this one.
CLUSTER_PROGRAMS = "e2e-programs"
PROGRAMS = "e2e-engine-programs"
# What makes a proxy native or classic, whatever this Istio does by itself.
FORM = "sidecar.istio.io/nativeSidecar"
WAITS = '{"proxyMetadata": {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"}}'
_CONFIG = "proxy.istio.io/config"
_DRAIN = "exeunt.dev/drain"
# The task writes its files here.
SCRATCH = "/scratch"
VOLUMES: list[Json] = [
    {"name": "programs", "configMap": {"name": CLUSTER_PROGRAMS}},
    {"name": "engine-programs", "configMap": {"name": PROGRAMS}},
    {"name": "scratch", "emptyDir": {}},
]


def sample(name: str) -> Json:
    """A sample as it is."""
    # The Kubernetes client brings this package. Without a cluster the program works without both.
    import yaml

    body: Json = yaml.safe_load((_SAMPLES / name).read_text())
    return body


def named(body: Json, name: str) -> Json:
    """The object with a name of the run's instead of a generated one."""
    metadata = {key: value for key, value in body["metadata"].items() if key != "generateName"}
    metadata["name"] = name
    metadata["labels"] = metadata.get("labels", {}) | {LABEL: name}
    return body | {"metadata": metadata}


def without_exeunt(metadata: Json, *, native: bool, waits: bool = False) -> None:
    """Removes what exeunt needs from a pod's metadata; says the form of the proxy, and whether it waits for its connections."""
    metadata["labels"].pop(_DRAIN, None)
    metadata["annotations"].pop(_CONFIG, None)
    if waits:
        metadata["annotations"][_CONFIG] = WAITS
    metadata["annotations"][FORM] = "true" if native else "false"


def container(name: str, words: tuple[str, ...], where: Where) -> Json:
    """A container that runs `programs/step.py`; `name` is the id of its upload."""
    return {
        "image": where.task_image,
        "command": ["python3", "/engines/step.py", *words],
        "env": [{"name": "E2E_ID", "value": name}, {"name": "E2E_RECEIVER", "value": where.receiver}],
        "volumeMounts": [
            {"name": "programs", "mountPath": "/e2e"},
            {"name": "engine-programs", "mountPath": "/engines"},
            {"name": "scratch", "mountPath": SCRATCH},
        ],
        "securityContext": {"runAsUser": TASK_UID, "runAsGroup": TASK_UID, "allowPrivilegeEscalation": False},
    }
