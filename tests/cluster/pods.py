"""The pods as Kubernetes objects."""

import json
from typing import Any

from .agent_container import RESTRICTED, agent, istio_status, restart_rules
from .shape import AGENT, LABEL, MAIN, PROGRAMS, PROXY, TASK_UID, Shape, Task, Where

Json = dict[str, Any]

_SMALL_REQUESTS = {"requests": {"cpu": "10m", "memory": "16Mi"}}


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
    containers = [task_container(name, task, shape, where) for task in shape.tasks]
    init: list[Json] = [_unpacker(where)] if shape.unpacks_agent else []
    if shape.agent == "native":
        always: Json = {} if shape.stripped else {"restartPolicy": "Always"}
        init.insert(0, agent(shape, where) | always)
    init = [*_sidecars(name, shape.before, shape, where), *init, *_sidecars(name, shape.behind, shape, where)]
    if shape.agent == "regular":
        own: Json = {"restartPolicy": shape.agent_policy} if shape.agent_policy else {}
        containers.insert(len(containers) if shape.agent_last else 0, agent(shape, where) | own)
    if shape.proxy_command:
        # The injector merges a container of this name into the one that it makes, and gives it the image.
        merged = {"image": "auto", "imagePullPolicy": "IfNotPresent", "command": list(shape.proxy_command)}
        containers.append({"name": PROXY, **merged})
    spec: Json = {
        "restartPolicy": shape.policy,
        "terminationGracePeriodSeconds": shape.grace_s,
        "initContainers": init,
        "containers": containers,
        "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "programs", "configMap": {"name": PROGRAMS}}],
    }
    if shape.shares:
        spec["shareProcessNamespace"] = True
        spec["volumes"].append({"name": AGENT, "emptyDir": {"sizeLimit": "1Mi"}})
    if shape.host_network:
        spec["hostNetwork"] = True
    return {"metadata": _metadata(name, shape), "spec": spec}


def _metadata(name: str, shape: Shape) -> Json:
    variables = {"ISTIO_META_HTTP_PROXY_PORT": "15190"} if shape.listener else {}
    if shape.exit_on_zero:
        variables["EXIT_ON_ZERO_ACTIVE_CONNECTIONS"] = "true"
    proxy: Json = {"proxyMetadata": variables} if variables else {}
    proxy |= dict(shape.proxy_config)
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
        **({"proxy.istio.io/config": json.dumps(proxy)} if proxy else {}),
        "kubectl.kubernetes.io/default-container": MAIN,
    }
    return {"labels": labels, "annotations": annotations | dict(shape.annotations)}


def behind_agent(injected: Json) -> Json:
    """An injected pod as a new one with the proxy behind the agent; the injector, which puts it first, leaves this one alone."""
    made = _as_new(injected)
    init = made["spec"]["initContainers"]
    places = {one["name"]: place for place, one in enumerate(init)}
    proxy = init.pop(places[PROXY])
    init.insert(places[AGENT], proxy)
    return made


def told_nothing_of_hold(injected: Json) -> Json:
    """An injected pod whose proxy is held, as a new one in which nothing says so: as with Istio's own setting for all pods.

    `values.global.proxy.holdApplicationUntilProxyStarts` is obeyed by the injector and is not shown by Envoy.
    """
    made = _as_new(injected)
    config = json.loads(made["metadata"]["annotations"]["proxy.istio.io/config"])
    config.pop("holdApplicationUntilProxyStarts", None)
    made["metadata"]["annotations"]["proxy.istio.io/config"] = json.dumps(config)
    proxy = next(one for one in made["spec"]["containers"] if one["name"] == PROXY)
    for variable in proxy["env"]:
        if variable["name"] == "PROXY_CONFIG":
            told = json.loads(variable["value"])
            told.pop("holdApplicationUntilProxyStarts", None)
            variable["value"] = json.dumps(told)
    return made


def _as_new(injected: Json) -> Json:
    """An injected pod, to be created again; the injector leaves it alone."""
    metadata = injected["metadata"]
    kept = {"name": metadata["name"], "annotations": metadata["annotations"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**kept, "labels": metadata["labels"] | {"sidecar.istio.io/inject": "false"}},
        "spec": injected["spec"],
    }


def _sidecars(name: str, tasks: tuple[Task, ...], shape: Shape, where: Where) -> list[Json]:
    return [task_container(name, task, shape, where) | {"restartPolicy": "Always"} for task in tasks]


def task_container(name: str, task: Task, shape: Shape, where: Where) -> Json:
    """The container of a task, in the scenario `name`."""
    env = [{"name": "E2E_ID", "value": f"{name}-{task.name}"}, {"name": "E2E_RECEIVER", "value": where.receiver}]
    if shape.unpacks_agent:
        env.append(istio_status())
    mounts = [{"name": "programs", "mountPath": "/e2e"}, {"name": "scratch", "mountPath": "/scratch"}]
    rules: Json = {"restartPolicy": "Never", "restartPolicyRules": restart_rules(task.rule)} if task.rule else {}
    hook = {"exec": {"command": ["python3", "/e2e/task.py", *task.post_start]}}
    user = {"runAsUser": task.uid, "runAsGroup": task.uid}
    return {
        **rules,
        **({"lifecycle": {"postStart": hook}} if task.post_start else {}),
        "name": task.name,
        "image": task.image or where.task_image,
        "imagePullPolicy": "IfNotPresent",
        "command": list(task.command) or ["python3", "/e2e/task.py", *task.words],
        "env": env + [{"name": key, "value": value} for key, value in task.env],
        "volumeMounts": mounts,
        "securityContext": {"runAsUser": 0} if task.root else {**RESTRICTED, **user},
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
        "securityContext": {**RESTRICTED, "runAsUser": TASK_UID, "runAsGroup": TASK_UID},
        "resources": _SMALL_REQUESTS,
    }


def receiver(where: Where, port: int) -> tuple[Json, Json]:
    """The server that counts the uploaded bytes, a pod outside of the mesh, and its Service."""
    name = "receiver"
    labels = {LABEL: name, "app": name, "sidecar.istio.io/inject": "false"}
    container = task_container(name, Task(name=name, command=("python3", "/e2e/receiver.py")), Shape(), where)
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
