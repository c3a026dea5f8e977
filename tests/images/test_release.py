"""./build.sh release --check: a release stops before it starts if a file names another version than the tag."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.paths import ROOT

_VERSION = "9.8.7"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """As much of the project as the check looks at, of a version that is consistent."""
    shutil.copytree(ROOT / "build", tmp_path / "build")
    for name in ("build.sh", "Cargo.toml", "Cargo.lock", "wasmplugin.yaml", "CHANGELOG.md"):
        shutil.copy2(ROOT / name, tmp_path / name)
    _replace(tmp_path / "Cargo.toml", r'(?m)^version = "[^"]*"', f'version = "{_VERSION}"')
    _replace(tmp_path / "wasmplugin.yaml", r"(?m)^  url: .*$", f"  url: oci://ghcr.io/exeunt-dev/exeunt:{_VERSION}")
    _replace(tmp_path / "CHANGELOG.md", r"(?m)^## .*$", f"## {_VERSION}")
    return tmp_path


def test_a_tag_that_every_file_agrees_with_passes(project: Path) -> None:
    assert _check(project, f"v{_VERSION}") == (0, [f"version {_VERSION}: every file names it"])


def test_a_tag_of_another_version_is_named_with_the_one_that_is_allowed(project: Path) -> None:
    assert _check(project, "v1.0.0") == (
        1,
        [f"release: tag v1.0.0 is not allowed: must be v{_VERSION}, the version in Cargo.toml"],
    )


def test_every_file_with_another_version_is_named_at_once(project: Path) -> None:
    _replace(project / "wasmplugin.yaml", _VERSION, "9.8.6")
    _replace(project / "CHANGELOG.md", _VERSION, "Unreleased")
    code, lines = _check(project, f"v{_VERSION}")
    assert code == 1
    assert [line.split(" must have ")[0] for line in lines] == ["release: CHANGELOG.md", "release: wasmplugin.yaml"]


def test_a_release_without_a_word_says_how_one_is_made(project: Path) -> None:
    run = subprocess.run(["./build.sh", "release"], cwd=project, capture_output=True, text=True, check=False)
    assert run.returncode == 64
    assert "release needs --dry-run or --check TAG" in run.stderr


def _check(project: Path, tag: str) -> tuple[int, list[str]]:
    run = subprocess.run(["./build.sh", "release", "--check", tag], cwd=project, capture_output=True, text=True, check=False)
    return run.returncode, run.stderr.splitlines()


def _replace(file: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, file.read_text())
    assert count > 0
    file.write_text(text)
