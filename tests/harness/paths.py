"""Where things lie in the repository, and what to do when one is not there."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "tests" / "fixtures" / "istio"
PROGRAMS = Path(__file__).resolve().parent / "programs"
# How our programs are run: no site packages, nothing of the user's, so that one starts in 20 ms.
PYTHON = (sys.executable, "-I", "-S")
# Everything that is downloaded goes into this one ignored folder.
CACHE = ROOT / ".cache"


class Missing(Exception):
    """Something that has to be built, installed or allowed first; the text says how, in one line."""


def wasm() -> Path:
    """The filter as it is shipped."""
    return _built("EXEUNT_WASM", "exeunt.wasm", "./build.sh wasm")


def panicking_wasm() -> Path:
    """The filter, built with the cargo feature `panics`: a request can make it panic."""
    return _built("EXEUNT_PANICS_WASM", "exeunt-panics.wasm", "./build.sh test host")


def agent() -> Path:
    """The agent as it is shipped."""
    return _built("EXEUNT_AGENT", "exeunt-agent", "./build.sh agent")


def _built(variable: str, name: str, verb: str) -> Path:
    path = Path(os.environ.get(variable) or ROOT / "target" / name)
    if not path.is_file():
        raise Missing(f"{path} is not there: run {verb}, or name another file in {variable}")
    return path.resolve()
