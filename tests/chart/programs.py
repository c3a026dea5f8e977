"""The programs that check manifests, and their output."""

import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# A YAML document, or a part of one.
Resource = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
HERE = ROOT / "tests" / "chart"
CHART = ROOT / "deploy" / "chart"
TOOLS = ROOT / ".cache" / "tools" / "chart"
MODULE = ROOT / "target" / "exeunt.wasm"

# Each call takes a few seconds, and longer on a machine that is busy compiling.
_WITHIN_S = 60


@dataclass(frozen=True)
class Said:
    """What a program has printed, and whether it has succeeded."""

    ok: bool
    out: str
    err: str

    @property
    def documents(self) -> list[Resource]:
        """Its output as YAML documents, without empty ones. The program must have succeeded."""
        assert self.ok, self.err + self.out
        return [document for document in yaml.safe_load_all(self.out) if document]


def run(program: str | Path, *words: str | Path, text: str = "", **environment: str) -> Said:
    """Runs a program to its end."""
    own = os.environ | environment
    ended = subprocess.run([program, *words], input=text, capture_output=True, text=True, check=False, timeout=_WITHIN_S, env=own)
    return Said(ended.returncode == 0, ended.stdout, ended.stderr)


def helm(*words: str | Path, text: str = "", **environment: str) -> Said:
    """Runs Helm, without the user's own configuration."""
    nowhere = str(ROOT / ".cache" / "helm")
    own = {"HELM_CONFIG_HOME": nowhere, "HELM_CACHE_HOME": nowhere, "HELM_DATA_HOME": nowhere, "KUBECONFIG": "/nonexistent"}
    return run(TOOLS / "helm", *words, text=text, **(own | environment))


def template(*words: str | Path, release: str = "exeunt", namespace: str = "jobs", chart: Path = CHART) -> Said:
    """Renders the chart."""
    return helm("template", release, chart, "--namespace", namespace, *words)


def kustomize(folder: Path) -> Said:
    """Builds a kustomization."""
    return run(TOOLS / "kustomize", "build", folder)


def judge(text: str, definitions: Path | None = None) -> Said:
    """Validates manifests with the API server's own code."""
    return run(TOOLS / "judge", *([definitions] if definitions else []), text=text)


def lone(path: Path) -> Resource:
    """The only document in a file."""
    (document,) = yaml.safe_load_all(path.read_text())
    assert isinstance(document, dict)
    return document


@cache
def istio_definitions(version: str, checksum: str) -> Path:
    """The custom resource definitions of an Istio version, from its Go module, whose checksum must be the pinned one."""
    fetched = run("go", "mod", "download", "-json", f"istio.io/api@v{version}", GOFLAGS="-mod=mod -modcacherw")
    module = json.loads(fetched.out or "{}")
    assert fetched.ok, f"istio.io/api {version}: {module.get('Error')} {fetched.err}"
    assert module["Sum"] == checksum, f"istio.io/api {version}: its checksum is {module['Sum']}, pinned is {checksum}"
    return Path(module["Dir"]) / "kubernetes" / "customresourcedefinitions.gen.yaml"
