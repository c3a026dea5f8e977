"""What the scenarios need in the run's namespace beside what every run has there."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import observed
from ..errors import RunError
from ..preflight import refusal
from ..shape import LABEL
from ..site import Site
from .kinds import ENGINES, Engine
from .samples import PROGRAMS as ENGINE_PROGRAMS

if TYPE_CHECKING:
    from ..kube import Kube

Json = dict[str, Any]

STORE = "artifacts"
STORE_PORT = 9100
_PROGRAMS = Path(__file__).with_name("programs")


def check(kube: "Kube", namespace: str, engines: list[str]) -> None:
    """Refuses a run for an engine that the cluster does not have, because it would test nothing; and one without the rights."""
    asked = [ENGINES[name] for name in engines]
    lines = [_lacks(kube.server, engine) for engine in asked if not engine.is_in(kube)]
    lines += [line for engine in asked for right in engine.rights for line in refusal(kube, namespace, *right)]
    if lines:
        raise RunError(*lines)


def _lacks(server: str, engine: Engine) -> str:
    what = f"{server} has no {engine.kind} in {engine.group}, so nothing was tested"
    return f"SKIPPED --engines {engine.name}: {what}; install {engine.title} with its controller, or leave {engine.name} out"


def install(site: Site, engines: list[str]) -> None:
    """Creates the programs, the artifact store, and the rights of Argo's executor; nothing if no engine is needed."""
    if not engines:
        return
    kube, namespace = site.kube, site.namespace
    programs = {name: (_PROGRAMS / name).read_text() for name in ("step.py", "artifacts.py")}
    kube.create(namespace, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": ENGINE_PROGRAMS}, "data": programs})
    for body in (_store(site), _service()):
        kube.create(namespace, body)
    if "argo" in engines:
        for body in _executor():
            kube.create(namespace, body)
    site.wait_pod(STORE, "the artifact store to start", lambda pod: observed.is_running(pod, STORE))


def store_url(site: Site, name: str) -> str:
    """Where an artifact goes."""
    service = site.kube.read("Service", site.namespace, STORE)
    assert service is not None
    address = service["spec"]["clusterIP"]
    return f"http://[{address}]:{STORE_PORT}/{name}" if ":" in address else f"http://{address}:{STORE_PORT}/{name}"


def store_ends(site: Site, name: str) -> list[Json]:
    """The transfers of an artifact that have ended."""
    lines = site.kube.log(site.namespace, STORE, STORE).splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    return [event for event in events if event.get("id") == name and event["event"] == "ended"]


def _store(site: Site) -> Json:
    labels = {LABEL: STORE, "app": STORE, "sidecar.istio.io/inject": "false"}
    container = {
        "name": STORE,
        "image": site.where.task_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/engines/artifacts.py"],
        "volumeMounts": [{"name": "programs", "mountPath": "/engines"}],
    }
    volumes = [{"name": "programs", "configMap": {"name": ENGINE_PROGRAMS}}]
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container], "volumes": volumes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": STORE, "labels": labels}, "spec": spec}


def _service() -> Json:
    ports = [{"name": "tcp-artifacts", "port": STORE_PORT}]
    metadata = {"name": STORE, "labels": {LABEL: STORE}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"selector": {"app": STORE}, "ports": ports}}


def _executor() -> tuple[Json, Json]:
    """What Argo's documentation asks for: its executor reports the results of a step."""
    group = "rbac.authorization.k8s.io"
    metadata = {"name": "executor"}
    rule = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
    role = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]}
    binding = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "executor"},
        "subjects": [{"kind": "ServiceAccount", "name": "default"}],
    }
    return role, binding
