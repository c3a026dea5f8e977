"""docs/airflow-matrix.md: what the real Airflow makes of a task and its pod. `--write` runs every row and writes it anew."""

import argparse
import importlib.metadata
import re
import tempfile
from pathlib import Path

import pytest

import conftest  # noqa: F401 - a home for Airflow
from scenarios import COLUMNS, of_airflow
from world.airflow import use_these, without_pauses
from world.runs import Outcome, run

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "airflow-matrix.md"
VERSION = importlib.metadata.version("apache-airflow")
PROVIDER = importlib.metadata.version("apache-airflow-providers-cncf-kubernetes")
TITLE = f"## Airflow {VERSION}, provider {PROVIDER}"


def table() -> dict[str, dict[str, str]]:
    """The cells of this version's table, by row and column."""
    section = re.search(rf"^{re.escape(TITLE)}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| ([^|]+?) \|(.*)\|$", section[1] if section else "", re.MULTILINE)
    return {name: dict(zip(COLUMNS, (cell.strip() for cell in cells.split("|")), strict=True)) for name, cells in rows}


def outcome(name: str, column: str, patch: pytest.MonkeyPatch) -> Outcome:
    """Runs one cell."""
    without_pauses(patch)
    use_these(patch, COLUMNS[column])
    with tempfile.TemporaryDirectory() as folder:
        return run(of_airflow(VERSION)[name], Path(folder))


def written() -> str:
    """The section, from running all of it."""
    lines = [TITLE, "", f"| | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for name in of_airflow(VERSION):
        cells = []
        for column in COLUMNS:
            with pytest.MonkeyPatch.context() as patch:
                cells.append(str(outcome(name, column, patch)))
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main() -> None:
    """Puts the section in its place."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True)
    parser.parse_args()
    text = DOCUMENT.read_text()
    head, *sections = re.split(r"(?=^## )", text, flags=re.MULTILINE)
    kept = [section for section in sections if not section.startswith(f"{TITLE}\n")]
    # The newest first.
    ordered = sorted([*(section.rstrip() + "\n" for section in kept), written()], reverse=True)
    DOCUMENT.write_text(head.rstrip() + "\n\n" + "\n".join(ordered))


if __name__ == "__main__":
    main()
