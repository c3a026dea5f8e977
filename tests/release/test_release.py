"""./build.sh release --check: a release stops before it starts if a file names another version than the tag."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.paths import ROOT

_VERSION = "9.8.7"
_CHART = "deploy/chart/Chart.yaml"
_PACKAGE = "airflow/src/exeunt_airflow/version.py"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """As much of the project as the check looks at, of a version that is consistent."""
    shutil.copytree(ROOT / "build", tmp_path / "build")
    for name in ("build.sh", "Cargo.toml", "Cargo.lock", "wasmplugin.yaml", "CHANGELOG.md", _CHART, _PACKAGE):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    _replace(tmp_path / "Cargo.toml", r'(?m)^version = "[^"]*"', f'version = "{_VERSION}"')
    _replace(tmp_path / "wasmplugin.yaml", r"(?m)^  url: .*$", f"  url: oci://ghcr.io/exeunt-dev/exeunt:{_VERSION}")
    _replace(tmp_path / "CHANGELOG.md", r"(?m)^## .*$", f"## {_VERSION}")
    _replace(tmp_path / _CHART, r"(?m)^(version|appVersion): .*$", rf"\1: {_VERSION}")
    _replace(tmp_path / _PACKAGE, r'"[\d.]+"', f'"{_VERSION}"')
    return tmp_path


def test_a_tag_that_every_file_agrees_with_passes(project: Path) -> None:
    assert _check(project, f"v{_VERSION}") == (0, [f"version {_VERSION}: every file names it"])


def test_a_tag_of_another_version_is_named_with_the_one_that_is_allowed(project: Path) -> None:
    assert _check(project, "v1.0.0") == (
        1,
        [f"release: tag v1.0.0 is not allowed: must be v{_VERSION}, the version in Cargo.toml"],
    )


def test_every_file_with_another_version_is_named_at_once(project: Path) -> None:
    for name in ("wasmplugin.yaml", _CHART, _PACKAGE):
        _replace(project / name, _VERSION, "9.8.6")
    _replace(project / "CHANGELOG.md", _VERSION, "Unreleased")
    code, lines = _check(project, f"v{_VERSION}")
    assert code == 1
    assert lines == [
        f"release: CHANGELOG.md must have a section of that version ({_VERSION})",
        f"release: wasmplugin.yaml must have an image of that version ({_VERSION})",
        f"release: {_CHART} must have that version ({_VERSION})",
        f"release: {_CHART} must have that appVersion ({_VERSION})",
        f"release: {_PACKAGE} must have that version ({_VERSION})",
    ]


def test_a_folder_that_exists_is_not_written_over(project: Path) -> None:
    kept = project / "dist" / "kept"
    kept.parent.mkdir()
    kept.touch()
    run = subprocess.run(["./build.sh", "release", "--build", "dist"], cwd=project, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.splitlines() == [f"release: {kept.parent} exists: --build needs a new folder"]
    assert kept.exists()


def test_a_release_without_a_word_says_how_one_is_made(project: Path) -> None:
    run = subprocess.run(["./build.sh", "release"], cwd=project, capture_output=True, text=True, check=False)
    assert run.returncode == 64
    assert "release needs --dry-run, --build DIR or --check TAG" in run.stderr


def _check(project: Path, tag: str) -> tuple[int, list[str]]:
    run = subprocess.run(["./build.sh", "release", "--check", tag], cwd=project, capture_output=True, text=True, check=False)
    return run.returncode, run.stderr.splitlines()


def _replace(file: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, file.read_text())
    assert count > 0
    file.write_text(text)
