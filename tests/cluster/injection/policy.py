"""A MutatingAdmissionPolicy of the API server adds the agent: the chart's, for the namespaces of the run alone."""

import copy
import shutil
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from ..errors import RunError
from ..install import image_values
from ..shape import LABEL
from .way import Way

Json = dict[str, Any]

_CHART = Path(__file__).resolve().parents[3] / "deploy" / "chart"
_POLICY = "MutatingAdmissionPolicy"
_BINDING = "MutatingAdmissionPolicyBinding"
_OF_POLICIES = tuple(
    (verb, "admissionregistration.k8s.io", kind)
    for kind in ("mutatingadmissionpolicies", "mutatingadmissionpolicybindings")
    for verb in ("create", "delete")
)
_HELM_S = 60
# The namespace's own label, which nobody can take from it.
_NAME_LABEL = "kubernetes.io/metadata.name"


class Policy(Way):
    """The policy and its binding; a second pair for the namespace with another image of the agent."""

    title = "a MutatingAdmissionPolicy"
    rights = (*_OF_POLICIES, ("patch", "", "namespaces"))
    labels: ClassVar = {"exeunt.dev/drain": "on"}
    # In the order in which they are created.
    _objects: tuple[Json, ...] = ()

    def install(self) -> None:
        """Creates them, and gives the run's namespace the label that binds it."""
        self.site.kube.merge("Namespace", "", self.site.namespace, {"metadata": {"labels": self.labels}})
        self._objects = self._of_run()
        for body in self._objects:
            self.site.kube.create("", body)

    def take_away(self) -> None:
        """Deletes them, the bindings first."""
        for body in reversed(self._objects):
            self.site.kube.delete(body["kind"], "", body["metadata"]["name"])

    def opt_out(self, namespace: str) -> None:
        """The namespace's label."""
        self.site.kube.merge("Namespace", "", namespace, {"metadata": {"labels": {"exeunt.dev/drain": "off"}}})

    def _of_run(self) -> tuple[Json, ...]:
        options, run, version = self.site.options, self.site.namespace, self.site.versions["kubernetes"]
        ours = {"key": LABEL, "operator": "In", "values": [run]}
        others = {"key": _NAME_LABEL, "operator": "NotIn", "values": list(self.images)}
        objects = bound(rendered(options.agent_image, options.source, version), run, ours, others)
        for namespace, image in self.images.items():
            only = {"key": _NAME_LABEL, "operator": "In", "values": [namespace]}
            objects += bound(rendered(image, options.source, version), namespace, only)
        return tuple(objects)


def bound(objects: list[Json], name: str, *expressions: Json) -> list[Json]:
    """The policy and its binding with another name, bound to fewer namespaces."""
    found = []
    for body in copy.deepcopy(objects):
        body["metadata"]["name"] = f"{body['metadata']['name']}-{name}"
        if body["kind"] == _BINDING:
            body["spec"]["policyName"] += f"-{name}"
            selector = body["spec"]["matchResources"].setdefault("namespaceSelector", {})
            selector["matchExpressions"] = [*selector.get("matchExpressions", []), *expressions]
        found.append(body)
    return found


def rendered(image: str, source: str, version: str) -> list[Json]:
    """The chart's policy and its binding with these values, for this version of Kubernetes."""
    # The Kubernetes client brings this package. Without a cluster the program works without both.
    import yaml

    if shutil.which("helm") is None:
        raise RunError("SKIPPED --inject policy: helm is not in PATH, so nothing was tested; install it, or use --inject istio")
    words = ["helm", "template", "exeunt", str(_CHART), "--kube-version", version]
    words += ["--set", f"inject=policy,plugin.source={source},plugin.configMap.create=false"]
    words += [word for value in image_values("agent", image) for word in ("--set-string", value)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_HELM_S)
    if done.returncode != 0:
        raise RunError(*(f"helm: {line}" for line in done.stderr.splitlines() if line.strip()))
    bodies = [body for body in yaml.safe_load_all(done.stdout) if body and body["kind"] in (_POLICY, _BINDING)]
    return sorted(bodies, key=lambda body: body["kind"] == _BINDING)
