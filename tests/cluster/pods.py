"""The pods as Kubernetes objects."""

import json
from typing import Any

from .shape import AGENT, AGENT_UID, GRACE_S, LABEL, MAIN, PROGRAMS, PROXY, TASK_UID, Shape, Task, Where

Json = dict[str, Any]

_SMALL_REQUESTS = {"requests": {"cpu": "10m", "memory": "16Mi"}}
_RESTRICTED: Json = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def job(name: str, shape: Shape, where: Where) -> Json:
    """A Job with one pod of this shape."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {LABEL: name}},
        # There must be only one pod: under Never a second pod would hide the end of the first.
        "spec": {"backoffLimit": 6 if shape.policy == "OnFailure" else 0, "template": template(name, shape, where)},
    }


def pod(name: str, shape: Shape, where: Where) -> Json:
    """A pod of this shape without a Job."""
    body = template(name, shape, where)
    body["metadata"]["name"] = name
    return {"apiVersion": "v1", "kind": "Pod", **body}


def template(name: str, shape: Shape, where: Where) -> Json:
    """The pod's metadata and spec."""
    containers = [_task(name, task, shape, where) for task in shape.tasks]
    init: list[Json] = [_unpacker(where)] if shape.unpacks_agent else []
    if shape.agent == "native":
        init = [*_sidecars(name, shape.before, shape, where), _agent(shape, where) | {"restartPolicy": "Always"}, *init]
        init += _sidecars(name, shape.behind, shape, where)
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
    if shape.shares:
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


def behind_agent(injected: Json) -> Json:
    """An injected pod as a new one with the proxy behind the agent; the injector, which puts it first, leaves this one alone."""
    metadata, spec = injected["metadata"], injected["spec"]
    places = {one["name"]: place for place, one in enumerate(spec["initContainers"])}
    proxy = spec["initContainers"].pop(places[PROXY])
    spec["initContainers"].insert(places[AGENT], proxy)
    kept = {"name": metadata["name"], "annotations": metadata["annotations"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**kept, "labels": metadata["labels"] | {"sidecar.istio.io/inject": "false"}},
        "spec": spec,
    }


def _sidecars(name: str, tasks: tuple[Task, ...], shape: Shape, where: Where) -> list[Json]:
    return [_task(name, task, shape, where) | {"restartPolicy": "Always"} for task in tasks]


def _agent(shape: Shape, where: Where) -> Json:
    image = shape.agent_image or where.agent_image
    grace = ["--grace-period", f"{shape.grace_s}s"] if shape.grace_s != GRACE_S and shape.tells_grace else []
    if not shape.shares:
        # With an image and restartPolicy these are the three lines of the documentation.
        told = [*grace, *shape.agent_words]
        return {"name": AGENT, "image": image, **({"args": told} if told else {})}
    words = ["watch"]
    for task in shape.tasks:
        words += ["--container", task.name] if task.main else []
    placement = "native" if shape.agent == "native" else "regular"
    words += ["--placement", placement, "--restart-policy", shape.policy, "--state-dir", "/run/exeunt", *grace]
    return {
        "name": AGENT,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": [*words, *shape.agent_words],
        "env": [_status()],
        "volumeMounts": [{"name": AGENT, "mountPath": "/run/exeunt"}],
        "securityContext": {**_RESTRICTED, "runAsUser": AGENT_UID, "runAsGroup": AGENT_UID, "readOnlyRootFilesystem": True},
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
    rules: Json = {}
    if task.rule:
        codes = {"operator": "In", "values": [task.rule.code]}
        rules = {"restartPolicy": "Never", "restartPolicyRules": [{"action": task.rule.action, "exitCodes": codes}]}
    return {
        **rules,
        "name": task.name,
        "image": task.image or where.task_image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(task.command) or ["python3", "/e2e/task.py", *task.words],
        "env": env + [{"name": key, "value": value} for key, value in task.env],
        "volumeMounts": mounts,
        "securityContext": {**_RESTRICTED, "runAsUser": task.uid, "runAsGroup": task.uid},
        "resources": _SMALL_REQUESTS,
    }


def _unpacker(where: Where) -> Json:
    """An init container that unpacks the agent's binary from the programs' ConfigMap to the pod's scratch volume."""
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
        "securityContext": {**_RESTRICTED, "runAsUser": TASK_UID, "runAsGroup": TASK_UID},
        "resources": _SMALL_REQUESTS,
    }


def receiver(where: Where, port: int) -> tuple[Json, Json]:
    """The server that counts the uploaded bytes, a pod outside of the mesh, and its Service."""
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
