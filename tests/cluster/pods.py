"""The pods that are played: the agreed shape of a pod with exeunt, and what the scenarios vary in it."""

import json
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Istio = Literal["classic", "hold", "native"]
Agent = Literal["native", "regular", "none"]

AGENT = "exeunt"
PROXY = "istio-proxy"
MAIN = "base"
# On every object that is made here, with the scenario's name.
LABEL = "exeunt.dev/e2e"
PROGRAMS = "e2e-programs"
AGENT_UID = 65532
_TASK_UID = 1000
# Kubernetes' own default, which the agent assumes if it is not told.
_GRACE_S = 30
_TINY = {"requests": {"cpu": "10m", "memory": "16Mi"}}
_NO_RIGHTS: Json = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Where:
    """What every pod of a run is told."""

    task_image: str
    agent_image: str
    receiver: str = ""


@dataclass(frozen=True)
class Task:
    """A container that runs `programs/task.py`, or a command of its own."""

    words: tuple[str, ...] = ()
    name: str = MAIN
    command: tuple[str, ...] = ()
    image: str = ""
    uid: int = _TASK_UID
    env: tuple[tuple[str, str], ...] = ()
    # Whether the agent waits for it.
    main: bool = True


@dataclass(frozen=True)
class Shape:
    """A pod, by what the scenarios vary."""

    istio: Istio = "classic"
    agent: Agent = "native"
    policy: Literal["Never", "OnFailure"] = "Never"
    tasks: tuple[Task, ...] = (Task(("wait",)),)
    # The signal listener, by annotation; without it the ServiceEntry is the only way.
    listener: bool = True
    # What the plugin selects: "on" has it, "broken" has one that cannot be fetched, empty has none.
    drain: str = "on"
    # That a deleted pod's proxy waits for its connections.
    exit_on_zero: bool = True
    agent_words: tuple[str, ...] = ()
    agent_image: str = ""
    host_network: bool = False
    grace_s: int = _GRACE_S
    # Where a task brings the agent's binary itself: unpacked by an init container.
    unpacks_agent: bool = False
    inject: bool = True
    # In an ambient mesh, where there is one: no proxy in the pod.
    ambient: bool = False
    annotations: tuple[tuple[str, str], ...] = field(default=())


def job(name: str, shape: Shape, where: Where) -> Json:
    """A Job of one such pod."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {LABEL: name}},
        # Every attempt is the one pod's: under Never a second pod would hide how the first has ended.
        "spec": {"backoffLimit": 6 if shape.policy == "OnFailure" else 0, "template": template(name, shape, where)},
    }


def pod(name: str, shape: Shape, where: Where) -> Json:
    """A bare one."""
    body = template(name, shape, where)
    body["metadata"]["name"] = name
    return {"apiVersion": "v1", "kind": "Pod", **body}


def template(name: str, shape: Shape, where: Where) -> Json:
    """The pod's template."""
    containers = [_task(name, task, shape, where) for task in shape.tasks]
    init: list[Json] = [_unpacker(where)] if shape.unpacks_agent else []
    if shape.agent == "native":
        init.insert(0, _agent(shape, where) | {"restartPolicy": "Always"})
    if shape.agent == "regular":
        containers.insert(0, _agent(shape, where))
    spec: Json = {
        "restartPolicy": shape.policy,
        "terminationGracePeriodSeconds": shape.grace_s,
        "initContainers": init,
        "containers": containers,
        "volumes": [
            {"name": AGENT, "emptyDir": {"sizeLimit": "1Mi"}},
            {"name": "scratch", "emptyDir": {}},
            {"name": "programs", "configMap": {"name": PROGRAMS}},
        ],
    }
    if shape.agent != "none":
        spec["shareProcessNamespace"] = True
    if shape.host_network:
        spec["hostNetwork"] = True
    return {"metadata": _metadata(name, shape), "spec": spec}


def _metadata(name: str, shape: Shape) -> Json:
    variables = {"ISTIO_META_HTTP_PROXY_PORT": "15190"} if shape.listener else {}
    if shape.exit_on_zero:
        variables["EXIT_ON_ZERO_ACTIVE_CONNECTIONS"] = "true"
    proxy: Json = {"proxyMetadata": variables} if variables else {}
    if shape.istio == "hold":
        proxy["holdApplicationUntilProxyStarts"] = True
    labels = {LABEL: name, "app": name}
    if shape.drain:
        labels["exeunt.dev/drain"] = shape.drain
    if shape.ambient or not shape.inject:
        labels["sidecar.istio.io/inject"] = "false"
    if shape.ambient:
        labels["istio.io/dataplane-mode"] = "ambient"
    annotations = {
        "sidecar.istio.io/nativeSidecar": "true" if shape.istio == "native" else "false",
        "proxy.istio.io/config": json.dumps(proxy),
        "kubectl.kubernetes.io/default-container": MAIN,
    }
    return {"labels": labels, "annotations": annotations | dict(shape.annotations)}


def _agent(shape: Shape, where: Where) -> Json:
    words = ["watch"]
    for task in shape.tasks:
        words += ["--container", task.name] if task.main else []
    placement = "native" if shape.agent == "native" else "regular"
    words += ["--placement", placement, "--restart-policy", shape.policy, "--state-dir", "/run/exeunt"]
    if shape.grace_s != _GRACE_S:
        words += ["--grace-period", f"{shape.grace_s}s"]
    return {
        "name": AGENT,
        "image": shape.agent_image or where.agent_image,
        "imagePullPolicy": "IfNotPresent",
        "args": [*words, *shape.agent_words],
        "env": [_status()],
        "volumeMounts": [{"name": AGENT, "mountPath": "/run/exeunt"}],
        "securityContext": {**_NO_RIGHTS, "runAsUser": AGENT_UID, "runAsGroup": AGENT_UID, "readOnlyRootFilesystem": True},
        "resources": {"requests": {"cpu": "1m", "memory": "4Mi"}, "limits": {"memory": "16Mi"}},
    }


def _status() -> Json:
    return {
        "name": "EXEUNT_ISTIO_STATUS",
        "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['sidecar.istio.io/status']"}},
    }


def _task(name: str, task: Task, shape: Shape, where: Where) -> Json:
    env = [{"name": "E2E_ID", "value": f"{name}-{task.name}"}, {"name": "E2E_RECEIVER", "value": where.receiver}]
    if shape.unpacks_agent:
        env.append(_status())
    mounts = [{"name": "programs", "mountPath": "/e2e"}, {"name": "scratch", "mountPath": "/scratch"}]
    return {
        "name": task.name,
        "image": task.image or where.task_image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(task.command) or ["python3", "/e2e/task.py", *task.words],
        "env": env + [{"name": key, "value": value} for key, value in task.env],
        "volumeMounts": mounts,
        "securityContext": {**_NO_RIGHTS, "runAsUser": task.uid, "runAsGroup": task.uid},
        "resources": _TINY,
    }


def _unpacker(where: Where) -> Json:
    """Puts the agent's binary into the pod's scratch volume; it is in the programs' ConfigMap, packed."""
    script = (
        "import gzip, os, pathlib; target = pathlib.Path('/scratch/exeunt-agent');"
        "target.write_bytes(gzip.decompress(pathlib.Path('/e2e/agent.gz').read_bytes())); os.chmod(target, 0o755)"
    )
    return {
        "name": "unpack",
        "image": where.task_image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-c", script],
        "volumeMounts": [{"name": "programs", "mountPath": "/e2e"}, {"name": "scratch", "mountPath": "/scratch"}],
        "securityContext": {**_NO_RIGHTS, "runAsUser": _TASK_UID, "runAsGroup": _TASK_UID},
        "resources": _TINY,
    }


def receiver(where: Where, port: int) -> tuple[Json, Json]:
    """The server that counts, outside of the mesh; and its Service."""
    name = "receiver"
    labels = {LABEL: name, "app": name, "sidecar.istio.io/inject": "false"}
    container = _task(name, Task(name=name, command=("python3", "/e2e/receiver.py")), Shape(), where)
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [container],
            "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "programs", "configMap": {"name": PROGRAMS}}],
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": {LABEL: name}},
        "spec": {"selector": {"app": name}, "ports": [{"name": "tcp-receiver", "port": port}]},
    }
    return body, service
