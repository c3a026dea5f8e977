"""Objects of the chart add the agent: those of one value of `inject`, for the namespaces of the run alone."""

import copy
import shutil
import subprocess
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from ..errors import RunError
from ..install import image_values
from ..shape import LABEL
from .way import Way

Json = dict[str, Any]

_CHART = Path(__file__).resolve().parents[3] / "deploy" / "chart"
_HELM_S = 60
# The namespace's own label, which nobody can take from it.
_NAME_LABEL = "kubernetes.io/metadata.name"
_DRAIN = "exeunt.dev/drain"


class FromChart(Way):
    """The objects for the run's namespaces, and others for the namespace with another image of the agent."""

    labels: ClassVar[dict[str, str]] = {_DRAIN: "on"}
    # The chart's value of `inject`, and the kinds of its objects in the order in which they are created.
    inject = ""
    kinds: tuple[str, ...] = ()
    # In the order in which they are created.
    _objects: tuple[Json, ...] = ()

    def install(self) -> None:
        """Creates them, and gives the run's namespace the label that they look for."""
        self.site.kube.merge("Namespace", "", self.site.namespace, {"metadata": {"labels": self.labels}})
        self._objects = self._of_run()
        for body in self._objects:
            self.site.kube.create("", body)

    def take_away(self) -> None:
        """Deletes them, the last one first."""
        for body in reversed(self._objects):
            self.site.kube.delete(body["kind"], "", body["metadata"]["name"])

    def opt_out(self, namespace: str) -> None:
        """The namespace's label."""
        self.site.kube.merge("Namespace", "", namespace, {"metadata": {"labels": {_DRAIN: "off"}}})

    @abstractmethod
    def limit(self, body: Json, name: str, expressions: list[Json]) -> None:
        """Limits an object to the namespaces whose labels match; the name is that of its group of objects."""

    def bound(self, objects: list[Json], name: str, *expressions: Json) -> list[Json]:
        """The objects with other names, for fewer namespaces."""
        found = copy.deepcopy(objects)
        for body in found:
            body["metadata"]["name"] = f"{body['metadata']['name']}-{name}"
            self.limit(body, name, list(expressions))
        return found

    def rendered(self, image: str) -> list[Json]:
        """The chart's objects with an image of the agent, for this cluster."""
        # The Kubernetes client brings this package. Without a cluster the program works without both.
        import yaml

        if shutil.which("helm") is None:
            raise RunError(
                f"SKIPPED --inject {self.inject}: helm is not in PATH, so nothing was tested; install it, or use --inject istio"
            )
        options = self.site.options
        words = ["helm", "template", "exeunt", str(_CHART), "--kube-version", self.site.versions["kubernetes"]]
        words += ["--namespace", self.site.namespace]
        words += ["--set", f"inject={self.inject},plugin.source={options.source},plugin.configMap.create=false"]
        words += [word for value in image_values("agent", image) for word in ("--set-string", value)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_HELM_S)
        if done.returncode != 0:
            raise RunError(*(f"helm: {line}" for line in done.stderr.splitlines() if line.strip()))
        bodies = [body for body in yaml.safe_load_all(done.stdout) if body and body["kind"] in self.kinds]
        return sorted(bodies, key=lambda body: self.kinds.index(body["kind"]))

    def _of_run(self) -> tuple[Json, ...]:
        run = self.site.namespace
        ours = {"key": LABEL, "operator": "In", "values": [run]}
        others = {"key": _NAME_LABEL, "operator": "NotIn", "values": list(self.images)}
        objects = self.bound(self.rendered(self.site.options.agent_image), run, ours, others)
        for namespace, image in self.images.items():
            only = {"key": _NAME_LABEL, "operator": "In", "values": [namespace]}
            objects += self.bound(self.of_another_image(self.rendered(image)), namespace, only)
        return tuple(objects)

    def of_another_image(self, objects: list[Json]) -> list[Json]:
        """Those of the objects that name the agent's image."""
        return objects
