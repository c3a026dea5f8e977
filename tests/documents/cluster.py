"""A stand-in for an API server, which real kubectl and Helm can use.

Before it stores anything, the judge of tests/chart/tools must take it: that is the API server's own code for Pods, Jobs,
CronJobs and Istio's resources. A Job gets its pod at once, and the pod has ended, with a verdict of the agent that was recorded
on a real cluster. There is no controller, no scheduler, no webhook and no kubelet.
"""

import copy
from dataclasses import dataclass
from typing import Any

import yaml

from chart.programs import Resource, istio_definitions, judge
from chart.versions import ISTIO, NEWEST
from documents.discovery import CLUSTER_WIDE, answers, kinds_of
from documents.pod import log_of, pod_of
from documents.protobuf import MEDIA_TYPE, read_secret

# tests/policy gives the policies to the API server's own code.
_POLICIES = tuple(f"{kind}AdmissionPolicy{part}" for kind in ("Mutating", "Validating") for part in ("", "Binding"))
_UNJUDGED = ("Secret", "Namespace", "ConfigMap", *_POLICIES)
_MERGES = ("application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml")


class Refused(Exception):
    """An answer with an error's code."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code}
        self.status["message"] = message


@dataclass(frozen=True)
class Request:
    """A request to the API server."""

    method: str
    path: str
    query: dict[str, str]
    media_type: str
    body: bytes

    @property
    def document(self) -> Resource:
        """The body."""
        document: Resource = read_secret(self.body) if self.media_type == MEDIA_TYPE else yaml.safe_load(self.body)
        return document


class Cluster:
    """The stored resources."""

    def __init__(self) -> None:
        self._definitions = istio_definitions(NEWEST, ISTIO[NEWEST])
        self._kinds = kinds_of(self._definitions)
        self._fixed = answers(self._kinds)
        # By namespace, plural and name.
        self._stored: dict[tuple[str, str, str], Resource] = {}
        self.empty()

    def empty(self) -> None:
        """Deletes everything but the namespaces that the documents expect."""
        self._stored.clear()
        for name in ("default", "jobs", "istio-system"):
            namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            self._stored["", "namespaces", name] = namespace

    def answer(self, request: Request) -> Resource | str:
        """Answers a request; an error is raised as `Refused`."""
        if request.path in self._fixed:
            return self._fixed[request.path]
        match request.path.strip("/").split("/"):
            case ["api", "v1", "namespaces", *name] if len(name) < 2:
                return self._resource(request, "v1", "", "namespaces", *name)
            case ["api", "v1", "namespaces", namespace, "pods", name, "log"]:
                return self._log(namespace, name, request.query.get("container", ""))
            case ["api", "v1", "namespaces", namespace, plural, *name]:
                return self._resource(request, "v1", namespace, plural, *name)
            case ["apis", group, version, "namespaces", namespace, plural, *name]:
                return self._resource(request, f"{group}/{version}", namespace, plural, *name)
            case ["apis", group, version, plural, *name] if plural in CLUSTER_WIDE:
                return self._resource(request, f"{group}/{version}", "", plural, *name)
        raise Refused(404, "NotFound", "the server could not find the requested resource")

    def _log(self, namespace: str, pod: str, container: str) -> str:
        try:
            return log_of(self._get(namespace, "pods", pod), container)
        except KeyError as error:
            raise Refused(400, "BadRequest", str(error)) from error

    def _resource(self, request: Request, place: str, namespace: str, plural: str, name: str = "") -> Resource:
        if plural not in self._kinds.get(place, {}):
            raise Refused(404, "NotFound", "the server could not find the requested resource")
        if namespace:
            self._get("", "namespaces", namespace)
        match request.method:
            case "GET" if name:
                return self._get(namespace, plural, name)
            case "GET":
                return self._list(place, namespace, plural, request.query)
            case "POST":
                return self._store(namespace, plural, request.document, request.query, is_new=True)
            case "PUT":
                self._get(namespace, plural, name)
                return self._store(namespace, plural, request.document, request.query)
            case "PATCH" if request.media_type in _MERGES:
                old = self._stored.get((namespace, plural, name))
                # Only a server-side apply creates what is not there.
                if old is None and request.media_type != "application/apply-patch+yaml":
                    return self._get(namespace, plural, name)
                return self._store(namespace, plural, _merged(old or {}, request.document), request.query)
            case "DELETE":
                self._get(namespace, plural, name)
                del self._stored[namespace, plural, name]
                return {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        raise Refused(415, "UnsupportedMediaType", f"{request.method} of {request.media_type} is not supported here")

    def _get(self, namespace: str, plural: str, name: str) -> Resource:
        if (namespace, plural, name) not in self._stored:
            raise Refused(404, "NotFound", f'{plural} "{name}" not found')
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
            raise Refused(409, "AlreadyExists", f'{plural} "{name}" already exists')
        if one["kind"] not in _UNJUDGED:
            said = judge(yaml.safe_dump(_as_sent(one)), self._definitions)
            if not said.ok:
                raise Refused(422, "Invalid", said.out)
        place = {"namespace": namespace} if namespace else {}
        one["metadata"] |= {"name": name, "resourceVersion": "1", "uid": f"{plural}-{name}"} | place
        if "dryRun" not in query:
            self._stored[namespace, plural, name] = one
            if one["kind"] == "Job":
                pod = pod_of(one)
                self._stored[namespace, "pods", pod["metadata"]["name"]] = pod
        return one


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
