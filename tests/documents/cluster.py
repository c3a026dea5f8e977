"""A stand-in for an API server, for real kubectl and Helm.

It stores what it is sent, after the judge of tests/chart/tools has taken it: that is the API server's own code for Pods, Jobs, CronJobs
and Istio's resources. A Job gets its pod at once, as a pod that has ended: with a proxy, and with a verdict of the agent that a real
cluster has recorded. There is no controller, no scheduler, no webhook and no kubelet.
"""

import copy
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from chart.programs import ROOT, Resource, istio_definitions, judge
from chart.versions import ISTIO, NEWEST

POD = "upload-job-7k2xq"
_RECORDED = ROOT / "docs" / "cluster" / "istio-1.30.3.json"
_MERGES = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml")


class _Refused(Exception):
    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
        self.status["message"] = message


class Cluster:
    """What the API server has stored."""

    def __init__(self) -> None:
        self._definitions = istio_definitions(NEWEST, ISTIO[NEWEST])
        # By group and version, then by the plural name.
        self._kinds = _own_kinds() | _istio_kinds(self._definitions)
        self._stored: dict[tuple[str, str, str], Resource] = {}
        self.empty()

    def empty(self) -> None:
        """Forgets everything but the namespaces that the documents take for granted."""
        self._stored.clear()
        for name in ("default", "jobs", "istio-system"):
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self._stored["", "namespaces", name] = namespace

    def answer(self, method: str, path: str, query: dict[str, str], body: bytes, media_type: str) -> Resource | str:
        """One request."""
        if path in (fixed := self._discovery()):
            return fixed[path]
        match path.strip("/").split("/"):
            case ["api", "v1", "namespaces", name] if method == "GET":
                return self._get("", "namespaces", name)
            case ["api", "v1", "namespaces", namespace, "pods", name, "log"]:
                return _log(self._get(namespace, "pods", name), query.get("container", ""))
            case ["api", "v1", "namespaces", namespace, plural, *name]:
                return self._resource(method, "v1", namespace, plural, *name, query=query, body=body, media_type=media_type)
            case ["apis", group, version, "namespaces", namespace, plural, *name]:
                place = f"{group}/{version}"
                return self._resource(method, place, namespace, plural, *name, query=query, body=body, media_type=media_type)
        raise _Refused(404, "NotFound", "the server could not find the requested resource")

    def _resource(
        self,
        method: str,
        place: str,
        namespace: str,
        plural: str,
        name: str = "",
        *,
        query: dict[str, str],
        body: bytes,
        media_type: str,
    ) -> Resource:
        if plural not in self._kinds.get(place, {}):
            raise _Refused(404, "NotFound", "the server could not find the requested resource")
        self._get("", "namespaces", namespace)
        match method:
            case "GET" if name:
                return self._get(namespace, plural, name)
            case "GET":
                return self._list(place, namespace, plural, query)
            case "POST":
                return self._store(namespace, plural, yaml.safe_load(body), query, is_new=True)
            case "PUT":
                self._get(namespace, plural, name)
                return self._store(namespace, plural, yaml.safe_load(body), query)
            case "PATCH" if media_type in _MERGES:
                old = self._stored.get((namespace, plural, name))
                if old is None and media_type != "application/apply-patch+yaml":
                    return self._get(namespace, plural, name)
                return self._store(namespace, plural, _merged(old or {}, yaml.safe_load(body)), query)
            case "DELETE":
                self._get(namespace, plural, name)
                del self._stored[namespace, plural, name]
                return {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        raise _Refused(415, "UnsupportedMediaType", f"{method} of {media_type} is not supported here")

    def _get(self, namespace: str, plural: str, name: str) -> Resource:
        if (namespace, plural, name) not in self._stored:
            raise _Refused(404, "NotFound", f'{plural} "{name}" not found')
        return self._stored[namespace, plural, name]

    def _list(self, place: str, namespace: str, plural: str, query: dict[str, str]) -> Resource:
        items = [one for (where, what, _), one in self._stored.items() if (where, what) == (namespace, plural)]
        for field, key in (("labelSelector", "labels"), ("fieldSelector", "")):
            for part in filter(None, query.get(field, "").split(",")):
                name, _, value = part.partition("=")
                own = [
                    (one, one["metadata"].get(key, {}) if key else {"metadata.name": one["metadata"]["name"]}) for one in items
                ]
                items = [one for one, has in own if has.get(name) == value]
        return {"kind": f"{self._kinds[place][plural]}List", "apiVersion": place, "metadata": {}, "items": items}

    def _store(self, namespace: str, plural: str, one: Resource, query: dict[str, str], *, is_new: bool = False) -> Resource:
        name = one["metadata"].get("name") or one["metadata"]["generateName"] + "x5k2p"
        if is_new and (namespace, plural, name) in self._stored:
            raise _Refused(409, "AlreadyExists", f'{plural} "{name}" already exists')
        if one["kind"] not in ("Secret", "Namespace", "ConfigMap"):
            said = judge(yaml.safe_dump(_as_sent(one)), self._definitions)
            if not said.ok:
                raise _Refused(422, "Invalid", said.out)
        one["metadata"] |= {"name": name, "namespace": namespace, "resourceVersion": "1", "uid": f"{plural}-{name}"}
        if "dryRun" not in query:
            self._stored[namespace, plural, name] = one
            if one["kind"] == "Job":
                pod = _pod_of(one)
                self._stored[namespace, "pods", pod["metadata"]["name"]] = pod
        return one

    def _discovery(self) -> dict[str, Resource]:
        fixed: dict[str, Resource] = {
            "/version": {"major": "1", "minor": "36", "gitVersion": "v1.36.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/openapi/v3": {"paths": {}},
        }
        groups: dict[str, list[Resource]] = {}
        for place, kinds in self._kinds.items():
            prefix = "/api" if "/" not in place else "/apis"
            own = {"namespaced": True, "verbs": ["create", "delete", "get", "list", "patch", "update"]}
            resources = [own | {"name": plural, "kind": kind, "singularName": kind.lower()} for plural, kind in kinds.items()]
            fixed[f"{prefix}/{place}"] = {"kind": "APIResourceList", "groupVersion": place, "resources": resources}
            fixed["/openapi/v3"]["paths"][f"{prefix[1:]}/{place}"] = {"serverRelativeURL": f"/openapi/v3{prefix}/{place}"}
            fixed[f"/openapi/v3{prefix}/{place}"] = _openapi(prefix, place, kinds)
            if prefix == "/apis":
                group, _, version = place.partition("/")
                groups.setdefault(group, []).append({"groupVersion": place, "version": version})
        listed = [{"name": name, "versions": versions, "preferredVersion": versions[0]} for name, versions in groups.items()]
        return fixed | {"/apis": {"kind": "APIGroupList", "groups": listed}}


@contextmanager
def serving(folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """A cluster on a loopback port, and its kubeconfig."""
    cluster = Cluster()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        """Hands requests to the cluster, one at a time."""

        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            query = dict(urllib.parse.parse_qsl(url.query))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            media_type = self.headers.get("Content-Type", "").partition(";")[0]
            try:
                with lock:
                    if url.path == "/empty":
                        cluster.empty()
                        self._send(200, "")
                        return
                    said = cluster.answer(self.command, url.path, query, body, media_type)
                    self._send(201 if self.command == "POST" else 200, said)
            except _Refused as refused:
                self._send(int(refused.status["code"]), refused.status)

        do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        def _send(self, code: int, said: Resource | str) -> None:
            is_text = isinstance(said, str)
            data = said.encode() if isinstance(said, str) else json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        kubeconfig = folder / "kubeconfig"
        one = {"cluster": "documents", "user": "documents", "namespace": "jobs"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "documents", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
            "contexts": [{"name": "documents", "context": one}],
            "users": [{"name": "documents", "user": {}}],
            "current-context": "documents",
        }
        kubeconfig.write_text(json.dumps(document))
        yield cluster, kubeconfig
        server.shutdown()
        thread.join()


def _own_kinds() -> dict[str, dict[str, str]]:
    core = {"pods": "Pod", "secrets": "Secret", "configmaps": "ConfigMap", "namespaces": "Namespace"}
    return {"v1": core, "batch/v1": {"jobs": "Job", "cronjobs": "CronJob"}}


@cache
def _istio_kinds(definitions: Path) -> dict[str, dict[str, str]]:
    kinds: dict[str, dict[str, str]] = {}
    # The loader in C: the other one needs half a minute.
    for one in yaml.load_all(definitions.read_text(), Loader=yaml.CSafeLoader):  # noqa: S506
        for version in one["spec"]["versions"] if one else ():
            names = one["spec"]["names"]
            kinds.setdefault(f"{one['spec']['group']}/{version['name']}", {})[names["plural"]] = names["kind"]
    return kinds


def _openapi(prefix: str, place: str, kinds: dict[str, str]) -> Resource:
    """As much as kubectl looks at: whether the server itself refuses unknown fields."""
    group, _, version = place.rpartition("/")
    paths = {}
    for plural, kind in kinds.items():
        parameters = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in ("fieldValidation", "dryRun")]
        patch = {
            "parameters": parameters,
            "responses": {},
            "x-kubernetes-group-version-kind": {"group": group, "version": version, "kind": kind},
        }
        paths[f"{prefix}/{place}/namespaces/{{namespace}}/{plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.36.0"}, "paths": paths}


def _as_sent(one: Resource) -> Resource:
    """Without what only a server writes."""
    sent = copy.deepcopy(one)
    for field in ("resourceVersion", "uid", "managedFields"):
        sent["metadata"].pop(field, None)
    sent.pop("status", None)
    return sent


def _merged(old: Any, patch: Any) -> Any:
    """RFC 7386. Lists are replaced: no command of a document changes a part of one."""
    if not isinstance(old, dict) or not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(old)
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(old.get(key), value)
    return merged


@cache
def _verdict() -> str:
    results = json.loads(_RECORDED.read_text())["results"]
    return json.dumps(next(one["facts"]["verdict"] for one in results if one["facts"].get("verdict")))


def _pod_of(job: Resource) -> Resource:
    """The pod of a Job when it has ended, beside a classic proxy."""
    name = job["metadata"]["name"]
    pod: Resource = copy.deepcopy(job["spec"]["template"])
    metadata = pod.setdefault("metadata", {})
    metadata |= {"name": POD if name == "upload-job" else f"{name}-x5k2p", "namespace": "jobs"}
    metadata.setdefault("labels", {})["job-name"] = name
    proxy = {"name": "istio-proxy", "image": "istio/proxyv2", "env": []}
    for word in (
        yaml.safe_load(metadata.get("annotations", {}).get("proxy.istio.io/config", "{}")).get("proxyMetadata", {}).items()
    ):
        proxy["env"].append({"name": word[0], "value": word[1]})
    pod["spec"]["containers"].append(proxy)
    status: Resource = {"phase": "Succeeded"}
    for place in ("initContainers", "containers"):
        status[f"{place.removesuffix('s')}Statuses"] = [
            {"name": one["name"], "state": {"terminated": _ended(one["name"])}} for one in pod["spec"].get(place, [])
        ]
    return pod | {"apiVersion": "v1", "kind": "Pod", "status": status}


def _ended(container: str) -> Resource:
    return {"exitCode": 0, "reason": "Completed"} | ({"message": _verdict()} if container == "exeunt" else {})


def _log(pod: Resource, container: str) -> str:
    names = [one["name"] for place in ("initContainers", "containers") for one in pod["spec"].get(place, [])]
    container = container or pod["metadata"].get("annotations", {}).get("kubectl.kubernetes.io/default-container", names[-1])
    if container not in names:
        raise _Refused(400, "BadRequest", f"container {container} is not valid for pod {pod['metadata']['name']}")
    return f"{_verdict()}\n" if container == "exeunt" else "2026-11-23T12:00:00Z info wasm fetching image\n"
