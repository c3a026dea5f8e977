"""A stand-in for an API server with Istio's plugins, with the answers that Helm's `lookup` needs."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from chart.programs import Resource

GROUP = "extensions.istio.io"
PLURALS = {"WasmPlugin": "wasmplugins", "TrafficExtension": "trafficextensions"}


def plugin(kind: str, name: str, namespace: str, release: str = "", home: str = "", *, selects: bool = True) -> Resource:
    """An existing plugin."""
    metadata = {"name": name, "namespace": namespace, "annotations": {}}
    if release:
        metadata["annotations"] = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": home or namespace}
    spec = {"selector": {"matchLabels": {"exeunt.dev/drain": "on"}}} if selects else {}
    return {"apiVersion": f"{GROUP}/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


@dataclass(frozen=True)
class Nodes:
    """The version of Kubernetes, and the container runtime of each node."""

    version: str = "v1.33.0"
    runtimes: tuple[str, ...] = ()

    @property
    def items(self) -> list[Resource]:
        """The nodes as the API server lists them."""
        return [
            {"metadata": {"name": f"node-{number}"}, "status": {"nodeInfo": {"containerRuntimeVersion": runtime}}}
            for number, runtime in enumerate(self.runtimes)
        ]


NONE = Nodes()


@contextmanager
def cluster(folder: Path, plugins: list[Resource], kinds: list[str], forbidden: str = "", nodes: Nodes = NONE) -> Iterator[Path]:
    """Serves `plugins` on loopback, and returns the kubeconfig. Listing the namespace `forbidden` is not allowed."""
    own = {"namespaced": True, "verbs": ["get", "list"]}
    resources = [own | {"name": PLURALS[kind], "kind": kind, "singularName": kind.lower()} for kind in kinds]
    group = {"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"}
    node = {"name": "nodes", "kind": "Node", "singularName": "node", "namespaced": False, "verbs": ["get", "list"]}
    fixed: dict[str, Resource] = {
        "/version": {"major": "1", "minor": nodes.version.split(".")[1], "gitVersion": nodes.version},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [node]},
        "/api/v1/nodes": {"kind": "NodeList", "apiVersion": "v1", "metadata": {}, "items": nodes.items},
        "/apis": {"kind": "APIGroupList", "groups": [{"name": GROUP, "versions": [group], "preferredVersion": group}]},
        f"/apis/{GROUP}/v1alpha1": {"kind": "APIResourceList", "groupVersion": f"{GROUP}/v1alpha1", "resources": resources},
    }

    class Handler(BaseHTTPRequestHandler):
        """Answers GET requests; Helm needs no others here."""

        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            if path in fixed:
                self._answer(200, fixed[path])
                return
            match path.removeprefix(f"/apis/{GROUP}/v1alpha1/namespaces/").split("/"):
                case [namespace, _] if namespace == forbidden:
                    self._refuse(403, "Forbidden")
                case [namespace, plural] if plural in [PLURALS[kind] for kind in kinds]:
                    found = [
                        one for one in plugins if one["metadata"]["namespace"] == namespace and PLURALS[one["kind"]] == plural
                    ]
                    self._answer(200, {"kind": "List", "apiVersion": f"{GROUP}/v1alpha1", "metadata": {}, "items": found})
                case _:
                    self._refuse(404, "NotFound")

        def _refuse(self, code: int, reason: str) -> None:
            self._answer(code, {"kind": "Status", "status": "Failure", "reason": reason, "code": code, "message": reason.lower()})

        def _answer(self, code: int, document: Resource) -> None:
            body = json.dumps(document).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        kubeconfig = folder / "kubeconfig"
        address = f"http://127.0.0.1:{server.server_port}"
        kubeconfig.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "fake", "cluster": {"server": address}}],
                    "contexts": [{"name": "fake", "context": {"cluster": "fake", "user": "fake"}}],
                    "users": [{"name": "fake", "user": {}}],
                    "current-context": "fake",
                }
            )
        )
        yield kubeconfig
        server.shutdown()
        thread.join()
