"""Paths in the repository, and what to do when a built file is missing."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "istio"
PROGRAMS = Path(__file__).resolve().parent / "programs"
# How the programs of this package are run: without site packages and user settings, so that one starts in 20 ms.
PYTHON = (sys.executable, "-I", "-S")
# All downloads go into this folder, which git ignores.
CACHE = ROOT / ".cache"


class Missing(Exception):
    """Something must be built, installed or allowed first; the text says in one line how."""


def wasm() -> Path:
    """The built filter."""
    return _built("EXEUNT_WASM", "exeunt.wasm", "./build.sh wasm")


def panicking_wasm() -> Path:
    """The filter, built with the cargo feature `panics`: a request can make it panic."""
    return _built("EXEUNT_PANICS_WASM", "exeunt-panics.wasm", "./build.sh test host")


def agent() -> Path:
    """The built agent."""
    return _built("EXEUNT_AGENT", "exeunt-agent", "./build.sh agent")


def _built(variable: str, name: str, verb: str) -> Path:
    path = Path(os.environ.get(variable) or ROOT / "target" / name)
    if not path.is_file():
        raise Missing(f"{path} does not exist: run {verb}, or name another file in {variable}")
    return path.resolve()
