"""Writes a folder completely or not at all."""

import shutil
import tempfile
from pathlib import Path

from .fault import Fault

# This file is in every folder that this program writes, so a folder with it may be replaced.
MARK = "images.json"


def mistake_of(folder: Path) -> str | None:
    """Why a folder must not be written, or None if it may be."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return "is no folder: must be a folder, or not exist yet"
    try:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
            return f"has other files in it: must be empty, not exist yet, or be from an earlier run (with {MARK} in it)"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Writes the files beside the folder, and then moves them into place at once, so a complete folder is always there."""
    parent = folder.absolute().parent
    partial = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=parent))
        for name, data in files.items():
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        _open_to_others(partial)
        _replace(folder, partial)
    except OSError as error:
        raise Fault(
            f"{folder} cannot be written: {error.strerror}: make room there, or name another folder with --output"
        ) from error
    finally:
        if partial is not None:
            shutil.rmtree(partial, ignore_errors=True)


def _open_to_others(folder: Path) -> None:
    """Lets every user read the images, whatever the umask is."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _replace(folder: Path, partial: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
        return
    # A folder that is not empty cannot be replaced by a rename. So the old one is moved away first, and back if that fails.
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old-", dir=partial.parent))
    try:
        folder.rename(old)
        try:
            partial.rename(folder)
        except OSError:
            old.rename(folder)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
