"""Writing a folder whole or not at all."""

import shutil
import tempfile
from pathlib import Path

from .fault import Fault

# In every folder that we wrote, and so the sign that we may replace it.
MARK = "images.json"


def mistake_of(folder: Path) -> str | None:
    """Why a folder may not be written; nothing where it may."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return "is no folder: must be one, or not be there yet"
    try:
        if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
            return f"has other files in it: must be empty, not be there yet, or be of an earlier run (with {MARK} in it)"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Writes the files beside the folder, and puts it into place in one move: at any time the old one or the new one is there."""
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
    """Whoever makes the images, with whatever umask: anybody may read them."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _replace(folder: Path, partial: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
        return
    # A folder with something in it cannot be renamed over: the old one makes way first, and comes back if that fails.
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
