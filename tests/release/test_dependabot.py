"""Dependabot knows every file that pins something."""

from pathlib import Path

import pytest
import yaml

from harness.paths import ROOT
from release.files import project_files

_FILE = ROOT / ".github" / "dependabot.yml"
# The files in which an ecosystem pins versions.
_PINS = {
    "cargo": ["Cargo.lock", "cli/Cargo.lock", "fuzz/Cargo.lock"],
    "uv": [
        "build/requirements/node.txt",
        "build/requirements/package.txt",
        "image/requirements.txt",
        "tests/requirements.txt",
        "tests/cluster/requirements.txt",
        "airflow/pyproject.toml",
    ],
    "gomod": [
        "tests/chart/tools/go.sum",
        "tests/images/judge/go.sum",
        "tests/inject/judge/go.sum",
        "tests/kyverno/judge/go.sum",
        "tests/policy/judge/go.sum",
        "bench/proxies/go.sum",
    ],
    "npm": ["build/npm/package-lock.json"],
    "docker-compose": [".github/registry/compose.yaml"],
}


def _folders() -> dict[str, set[str]]:
    updates = yaml.safe_load(_FILE.read_text())["updates"]
    return {one["package-ecosystem"]: set(one.get("directories", [one.get("directory")])) for one in updates}


@pytest.mark.parametrize("ecosystem", _PINS)
def test_the_folders_are_those_with_pins(ecosystem: str) -> None:
    files = [ROOT / name for name in _PINS[ecosystem]]
    assert [str(file) for file in files if not file.is_file()] == []
    assert _folders()[ecosystem] == {_folder(file) for file in files}


def test_no_file_that_pins_something_is_forgotten() -> None:
    names = ("Cargo.lock", "go.sum", "package-lock.json", "compose.yaml", "Dockerfile")
    known = {name for files in _PINS.values() for name in files}
    assert set(project_files(lambda name: name in names)) <= known


def test_the_actions_of_all_workflows_are_moved() -> None:
    assert _folders()["github-actions"] == {"/"}


def test_a_new_version_waits_a_week() -> None:
    updates = yaml.safe_load(_FILE.read_text())["updates"]
    assert [one["package-ecosystem"] for one in updates if one.get("cooldown") != {"default-days": 7}] == []


def test_the_file_has_no_yaml_alias() -> None:
    """Dependabot refuses one."""
    assert not any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(_FILE.read_text()))


def _folder(file: Path) -> str:
    folder = file.parent.relative_to(ROOT)
    return "/" if folder == Path() else f"/{folder}"
