"""The releases of Istio whose injector judges the template. build/tiers/inject.sh builds a program of each.

The Go module proxy has no other release of these lines, and none of 1.30; judge/go.mod is the newest Istio that it has.
"""

import json
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from chart.programs import Resource, helm, run
from harness.paths import ROOT, Missing

HERE = ROOT / "tests" / "inject"
JUDGE = HERE / "judge"
NEWEST = "1.31"
# Each line, with the module file that pins its code.
LINES = {path.stem: path for path in sorted((JUDGE / "lines").glob("*.mod"))} | {NEWEST: JUDGE / "go.mod"}

# What istiod's variable says: whether proxies are native sidecars.
NATIVE = {True: "true", False: "false"}


@dataclass(frozen=True)
class Answer:
    """What the injector has answered: the pod as the API server has it afterwards, or why it was refused."""

    pod: Resource | None
    refused: str


@dataclass(frozen=True)
class Release:
    """The injector of one release."""

    line: str

    @property
    def program(self) -> Path:
        """Its program."""
        return ROOT / ".cache" / "tools" / "inject" / self.line

    def inject(
        self, values: Path | None, native: bool, pods: list[Resource], variables: dict[str, dict[str, str]] | None = None
    ) -> list[Answer]:
        """Sends the pods to the injector, which istiod's own chart has configured with these values.

        `variables` are those that a ProxyConfig sets for all pods of a namespace.
        """
        if not self.program.is_file():
            raise Missing(f"{self.program} does not exist: run ./build.sh test inject, which needs Go")
        folder = configured(self.line, values)
        asked = json.dumps({"variables": variables or {}, "pods": pods})
        files = [folder / name for name in ("config", "values", "mesh")]
        said = run(self.program, *files, text=asked, ENABLE_NATIVE_SIDECARS=NATIVE[native])
        assert said.ok, said.err
        return [Answer(one.get("pod"), one.get("refused", "")) for one in json.loads(said.out)]


@cache
def chart_of(line: str) -> Path:
    """The folder of istiod's chart in the release's source."""
    module = ("-modfile", str(LINES[line])) if line != NEWEST else ()
    listed = run("go", "list", "-C", JUDGE, *module, "-m", "-f", "{{.Dir}}", "istio.io/istio", GOFLAGS="-mod=readonly")
    assert listed.ok, listed.err
    return Path(listed.out.strip()) / "manifests" / "charts" / "istio-control" / "istio-discovery"


_FOLDERS: dict[tuple[str, str], Path] = {}


def configured(line: str, values: Path | None) -> Path:
    """A folder with the injector's configuration, as `helm install istiod --values FILE` writes it into the ConfigMaps."""
    text = values.read_text() if values else ""
    key = (line, text)
    if key not in _FOLDERS:
        folder = ROOT / ".cache" / "inject" / str(os.getpid()) / str(len(_FOLDERS))
        folder.mkdir(parents=True, exist_ok=True)
        more = ("--values", str(values)) if values else ()
        said = helm("template", "istiod", chart_of(line), "--namespace", "istio-system", *more)
        maps = {one["metadata"]["name"]: one["data"] for one in said.documents if one["kind"] == "ConfigMap"}
        for name in ("config", "values"):
            (folder / name).write_text(maps["istio-sidecar-injector"][name])
        (folder / "mesh").write_text(maps["istio"]["mesh"])
        _FOLDERS[key] = folder
    return _FOLDERS[key]


def built() -> list[str]:
    """The lines whose programs are there, the oldest first."""
    return [line for line in LINES if Release(line).program.is_file()]


def config_of(values: Path | None, line: str) -> Resource:
    """The injector's configuration as istiod reads it."""
    config: Resource = yaml.safe_load((configured(line, values) / "config").read_text())
    return config
