"""A copy of build.sh on a machine that has only what it is given."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.paths import ROOT

# What build.sh itself calls. Nothing that builds, downloads or installs.
_PROGRAMS = (
    "awk",
    "bash",
    "cat",
    "cmp",
    "cut",
    "dirname",
    "env",
    "grep",
    "head",
    "mkdir",
    "rm",
    "sed",
    "sleep",
    "sort",
    "tail",
    "tr",
)
# What a program that must not run leaves behind.
_CALLED = "called"


class Machine:
    """build.sh, and the programs that it can find."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "exeunt"
        self._programs = folder / "bin"
        self._programs.mkdir(parents=True)
        for name in _PROGRAMS:
            self._programs.joinpath(name).symlink_to(_found(name))
        self._programs.joinpath("python3").symlink_to(Path(sys.executable).resolve())
        for name in ("build.sh", "Cargo.toml", "Cargo.lock"):
            self.folder.mkdir(exist_ok=True)
            shutil.copy2(ROOT / name, self.folder / name)
        for name in ("build", "image", "demo", "bench", "tests/cluster", "tests/harness"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("__pycache__"))

    def must_not_call(self, *names: str) -> None:
        """Adds programs that fail, and that say that they were called."""
        for name in names:
            program = self._programs / name
            program.write_text(f'#!/bin/sh\necho "$0 $*" >>"{self.folder}/{_CALLED}"\nexit 1\n')
            program.chmod(0o755)

    @property
    def called(self) -> str:
        """The calls of those programs."""
        path = self.folder / _CALLED
        return path.read_text() if path.exists() else ""

    def run(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Runs ./build.sh with these arguments."""
        return subprocess.run(
            ["./build.sh", *words],
            cwd=self.folder,
            env={"PATH": str(self._programs), "HOME": str(self.folder)} | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )


def _found(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is missing"
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without a compiler, a package manager or a network client."""
    return Machine(tmp_path)
