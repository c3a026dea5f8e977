"""The files of the project, without what was downloaded or built."""

import os
from collections.abc import Callable
from pathlib import Path

from harness.paths import ROOT

_SKIPPED = {"target", "node_modules", "__pycache__", ".cache", ".git"}


def project_files(wanted: Callable[[str], object]) -> list[str]:
    """The paths, from the root of the project, of the files whose names are wanted."""
    found = []
    for folder, inside, files in os.walk(ROOT):
        inside[:] = [name for name in inside if name not in _SKIPPED]
        found += [str((Path(folder) / name).relative_to(ROOT)) for name in files if wanted(name)]
    return sorted(found)
