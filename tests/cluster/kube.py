"""The cluster's API: objects are plain data, an error is one line.

The client is the official one, `kubernetes` on PyPI. Kubernetes' SIG API Machinery maintains it and releases it with every
version of Kubernetes. It supports every kind of credentials in a kubeconfig (certificates, tokens, exec plugins, OIDC), which a
test for any cluster needs. lightkube and kr8s are smaller, but bring models or an event loop that this package does not need.
"""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config, stream
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from .errors import Refused, RunError

Json = dict[str, Any]

# For every call: the time to connect and the time for the answer. A dry run calls every admission webhook of the cluster.
_TIMEOUT_S = (10, 60)
_WATCH_S = 300
_JSON = "application/json"
_NOT_FOUND = 404
_FIRST_ERROR = 400

Query = list[tuple[str, str]]
Timeout = tuple[float, float]

# The kinds of objects that a run creates or reads, and their paths in the API.
_PATHS = {
    "Namespace": "/api/v1/namespaces",
    "Pod": "/api/v1/namespaces/{ns}/pods",
    "Service": "/api/v1/namespaces/{ns}/services",
    "ConfigMap": "/api/v1/namespaces/{ns}/configmaps",
    "Event": "/api/v1/namespaces/{ns}/events",
    "DaemonSet": "/apis/apps/v1/namespaces/{ns}/daemonsets",
    "CronJob": "/apis/batch/v1/namespaces/{ns}/cronjobs",
    "Job": "/apis/batch/v1/namespaces/{ns}/jobs",
    "WasmPlugin": "/apis/extensions.istio.io/v1alpha1/namespaces/{ns}/wasmplugins",
    "ServiceEntry": "/apis/networking.istio.io/v1beta1/namespaces/{ns}/serviceentries",
    "ProxyConfig": "/apis/networking.istio.io/v1beta1/namespaces/{ns}/proxyconfigs",
    "Sidecar": "/apis/networking.istio.io/v1beta1/namespaces/{ns}/sidecars",
    "EnvoyFilter": "/apis/networking.istio.io/v1alpha3/namespaces/{ns}/envoyfilters",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings",
    "Workflow": "/apis/argoproj.io/v1alpha1/namespaces/{ns}/workflows",
    "TaskRun": "/apis/tekton.dev/v1/namespaces/{ns}/taskruns",
    "MutatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "MutatingPolicy": "/apis/policies.kyverno.io/v1/mutatingpolicies",
    "GeneratingPolicy": "/apis/policies.kyverno.io/v1/generatingpolicies",
    "ClusterRole": "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "SelfSubjectAccessReview": "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
}


class Kube:
    """One cluster. Any thread may call the methods."""

    def __init__(self, kubeconfig: Path) -> None:
        settings = client.Configuration()
        # Every scenario and the watch use a connection; waiting for a free one would change the measured times.
        settings.connection_pool_maxsize = 64
        # A failed connection is a result, so it is not tried three times with a minute's timeout each.
        settings.retries = False
        try:
            config.load_kube_config(config_file=str(kubeconfig), client_configuration=settings, persist_config=False)
        except (ConfigException, yaml.YAMLError, OSError, TypeError, KeyError, AttributeError) as error:
            raise RunError(f"--kubeconfig {kubeconfig} cannot be used: {first_line(error)}") from error
        self._api = client.ApiClient(settings)
        self.server: str = settings.host

    def get(self, path: str) -> Json:
        """The API's answer at `path`."""
        answer: Json = self._call("GET", path)
        return answer

    def read(self, kind: str, namespace: str, name: str = "", *, selector: str = "") -> Json | None:
        """One object, or the list of all; `None` if there is none."""
        query = [("labelSelector", selector)] if selector else []
        try:
            found: Json = self._call("GET", _path(kind, namespace, name), query=query)
            return found
        except Refused as refused:
            if refused.status == _NOT_FOUND:
                return None
            raise

    def create(self, namespace: str, body: Json, *, dry_run: bool = False) -> Json:
        """Creates an object and returns it as the API server stores it, with the changes of admission."""
        query = [("dryRun", "All")] if dry_run else []
        created: Json = self._call("POST", _path(body["kind"], namespace), body, query)
        return created

    def warnings(self, namespace: str, body: Json) -> list[str]:
        """What the API server warns of when the object would be created, as kubectl prints it. Nothing is created."""
        answer = self._send("POST", _path(body["kind"], namespace), body, [("dryRun", "All")], _JSON, _TIMEOUT_S)
        answer.read()
        # Each is `299 - "TEXT"`, as RFC 7234 has it, with a backslash in front of quotes.
        return [json.loads(one.partition(" - ")[2]) for one in answer.headers.getlist("Warning")]

    def patch(self, kind: str, namespace: str, name: str, body: Json) -> Json:
        """Changes an object by a strategic merge patch."""
        content_type = "application/strategic-merge-patch+json"
        changed: Json = self._call("PATCH", _path(kind, namespace, name), body, content_type=content_type)
        return changed

    def merge(self, kind: str, namespace: str, name: str, body: Json) -> Json:
        """Changes an object by a JSON merge patch: a custom resource takes no other one."""
        changed: Json = self._call("PATCH", _path(kind, namespace, name), body, content_type="application/merge-patch+json")
        return changed

    def delete(self, kind: str, namespace: str, name: str, *, grace_s: int | None = None) -> None:
        """Deletes an object in the background, with its own grace period or another one; it need not exist."""
        options: Json = {"propagationPolicy": "Background", **({} if grace_s is None else {"gracePeriodSeconds": grace_s})}
        try:
            self._call("DELETE", _path(kind, namespace, name), options)
        except Refused as refused:
            if refused.status != _NOT_FOUND:
                raise

    def log(self, namespace: str, pod: str, container: str) -> str:
        """The log of a container so far; empty if the container has not started or is deleted."""
        path = f"{_path('Pod', namespace, pod)}/log"
        try:
            return str(self._call("GET", path, query=[("container", container)], raw=True))
        except Refused:
            return ""

    def forward(self, namespace: str, pod: str, port: int, sent: bytes) -> bytes:
        """Sends bytes to a port of a pod, as `kubectl port-forward` does; the answer, until its end or a silence."""
        # The stream replaces a method of its client, which other threads use meanwhile.
        own = client.CoreV1Api(client.ApiClient(self._api.configuration))
        try:
            forwarded = stream.portforward(own.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port))
        except ApiException as error:
            raise Refused(error.status or 0, first_line(error.reason or error)) from error
        connection = forwarded.socket(port)
        connection.settimeout(_TIMEOUT_S[0])
        connection.sendall(sent)
        answer = b""
        with contextlib.suppress(TimeoutError):
            while piece := connection.recv(65_536):
                answer += piece
        connection.close()
        return answer

    def watch_pods(
        self, namespace: str, stop: threading.Event, listed: Callable[[list[Json]], None], seen: Callable[[Json], None]
    ) -> None:
        """Until `stop` is set: calls `listed` with all pods, then `seen` with each event; starts again after a disconnect."""
        while not stop.is_set():
            try:
                pods = self._call("GET", _path("Pod", namespace))
                listed(pods["items"])
                for event in self._events(namespace, pods["metadata"]["resourceVersion"]):
                    if stop.is_set() or event["type"] == "ERROR":
                        break  # Usually the version is too old; the next list has a new one.
                    seen(event)
            except (Refused, urllib3.exceptions.HTTPError, ValueError, OSError):
                stop.wait(1)

    def _events(self, namespace: str, version: str) -> Iterator[Json]:
        query = [("watch", "true"), ("resourceVersion", version), ("timeoutSeconds", str(_WATCH_S))]
        response = self._send("GET", _path("Pod", namespace), None, query, _JSON, (10, _WATCH_S + 10))
        try:
            rest = b""
            for piece in response.stream(amt=None):
                *lines, rest = (rest + piece).split(b"\n")
                yield from (json.loads(line) for line in lines if line)
        finally:
            response.close()

    def _call(
        self,
        method: str,
        path: str,
        body: Json | None = None,
        query: Query | None = None,
        content_type: str = _JSON,
        *,
        raw: bool = False,
    ) -> Any:
        answer = self._send(method, path, body, query or [], content_type, _TIMEOUT_S)
        try:
            text = answer.read().decode(errors="replace")
        except urllib3.exceptions.HTTPError as error:
            raise Refused(0, f"{self.server} has closed the connection: {first_line(error)}") from error
        return text if raw else json.loads(text)

    def _send(self, method: str, path: str, body: Json | None, query: Query, content_type: str, timeout: Timeout) -> Any:
        """Sends a request and returns the response, whose body is not read yet; raises `Refused` for an error."""
        headers = {"Accept": _JSON, "Content-Type": content_type}
        request = self._api.param_serialize(method, path, {}, query, headers, body, auth_settings=["BearerToken"])
        try:
            answer = self._api.call_api(*request, _request_timeout=timeout).response
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise Refused(0, f"{self.server} does not answer: {_reason(error)}") from error
        if answer.status >= _FIRST_ERROR:
            raise Refused(answer.status, _message(answer.read().decode(errors="replace"), answer.status))
        return answer


def _path(kind: str, namespace: str, name: str = "") -> str:
    path = _PATHS[kind].format(ns=namespace)
    return f"{path}/{name}" if name else path


def _message(text: str, status: int) -> str:
    """The message in the API server's answer."""
    try:
        return str(json.loads(text)["message"])
    except (TypeError, ValueError, KeyError):
        return first_line(text) if text else f"HTTP {status}"


def _reason(error: Exception) -> str:
    """Why a connection has failed: the last part of urllib3's message."""
    return first_line(str(error).rpartition(": ")[2] or error)


def first_line(error: object) -> str:
    """The first line of an error's text."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
