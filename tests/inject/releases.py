"""The releases of Istio whose injector judges the template. build/tiers/inject.sh builds a program of each.

The Go module proxy has no other code of these lines; judge/go.mod is the newest Istio that it has. It has no release of
1.30: that line is the commit with which 1.30 began. Its injector and its template `sidecar` are those of 1.30.3, file
by file.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from chart.programs import Resource, Said, helm, run
from harness.paths import ROOT
from inject.lines import Line

HERE = ROOT / "tests" / "inject"
JUDGE = HERE / "judge"

# What istiod's variable says: whether proxies are native sidecars.
NATIVE = {True: "true", False: "false"}


@dataclass(frozen=True)
class Answer:
    """What the injector has answered: the pod as the API server has it afterwards, or why it was refused."""

    pod: Resource | None
    refused: str


@dataclass(frozen=True)
class Release(Line):
    """The injector of one release."""

    TIER = "inject"
    VARIABLE = "EXEUNT_INJECTORS"
    NEWEST = "1.31"

    def inject(
        self,
        template: str | None,
        native: bool,
        pods: list[Resource],
        variables: dict[str, dict[str, str]] | None = None,
        defaults: Sequence[str] = ("sidecar", "exeunt"),
    ) -> list[Answer]:
        """Sends the pods to the injector, with this injection template beside Istio's own ones, or as Istio is without it.

        `variables` are those that a ProxyConfig sets for all pods of a namespace. `defaults` are the default templates beside it.
        """
        asked = json.dumps({"variables": variables or {}, "pods": [as_written(pod) for pod in pods]})
        data = configuration(self.line)
        config = own_configuration(self.line)
        if template is not None:
            config = config | {"defaultTemplates": list(defaults), "templates": config["templates"] | {"exeunt": template}}
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("config", "values", "mesh")]
            for file, text in zip(files, (json.dumps(config), data["values"], data["mesh"]), strict=True):
                file.write_text(text)
            said = self.run(*files, text=asked, ENABLE_NATIVE_SIDECARS=NATIVE[native])
        assert said.ok, said.err
        return [Answer(one.get("pod"), one.get("refused", "")) for one in json.loads(said.out)]

    def values(self, values: Resource) -> Said:
        """Whether Istio's own type of its values has every field of these."""
        return self.run("values", text=json.dumps(values))


def as_written(pod: Resource) -> Resource:
    """The pod as an API server writes it: without empty lists, and each container has `resources`. The patch is for that."""
    spec = _without_empty_lists(pod["spec"])
    for place in ("initContainers", "containers"):
        if place in spec:
            spec[place] = [{"resources": {}} | one for one in spec[place]]
    return pod | {"spec": spec}


def _without_empty_lists(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _without_empty_lists(value) for key, value in part.items() if value != []}
    return [_without_empty_lists(one) for one in part] if isinstance(part, list) else part


@cache
def chart_of(line: str) -> Path:
    """The folder of istiod's chart in the release's source, which is downloaded if the programs were built another day."""
    module = f"-modfile={Release.modules()[line]}"
    fetched = run("go", "mod", "download", "-C", JUDGE, module, "-json", "istio.io/istio", GOFLAGS="-modcacherw")
    assert fetched.ok, fetched.out + fetched.err
    return Path(json.loads(fetched.out)["Dir"]) / "manifests" / "charts" / "istio-control" / "istio-discovery"


@cache
def configuration(line: str, values: Path | None = None) -> dict[str, str]:
    """What istiod's own chart writes into the ConfigMaps of the injector (config, values) and of the mesh, with these values."""
    more = ("--values", str(values)) if values else ()
    said = helm("template", "istiod", chart_of(line), "--namespace", "istio-system", *more)
    maps = {one["metadata"]["name"]: one["data"] for one in said.documents if one["kind"] == "ConfigMap"}
    return maps["istio-sidecar-injector"] | {"mesh": maps["istio"]["mesh"]}


@cache
def own_configuration(line: str) -> Resource:
    """The injector's own configuration, which has Istio's templates. It is long, so it is read once."""
    config: Resource = yaml.safe_load(configuration(line)["config"])
    return config
