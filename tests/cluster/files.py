"""The files that --report writes."""

from pathlib import Path

from .junit import junit
from .page import page
from .report import Run, document

NAMES = ("e2e.json", "e2e.xml", "report.md")


def write(run: Run, folder: Path) -> None:
    """Writes all files, each by a rename, so that no reader sees half of one."""
    folder.mkdir(exist_ok=True)
    for name, text in zip(NAMES, (document(run), junit(run), page([run])), strict=True):
        partial = folder / f".{name}.new"
        partial.write_text(text)
        partial.replace(folder / name)
