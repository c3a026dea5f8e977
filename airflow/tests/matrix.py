"""docs/airflow-matrix.md: what the real Airflow makes of a task and its pod. `--write` runs every row and writes the table."""

import argparse
import importlib.metadata
import re
import tempfile
from pathlib import Path

import pytest

import conftest  # noqa: F401 - prepares a home folder for Airflow
from real_airflow.hook_settings import use_settings
from real_airflow.pauses import shorten_pauses
from real_airflow.run import run
from real_airflow.scenario import Outcome
from scenarios import COLUMNS, rows_for

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "airflow-matrix.md"
VERSION = importlib.metadata.version("apache-airflow")
PROVIDER = importlib.metadata.version("apache-airflow-providers-cncf-kubernetes")
# Every provider of Airflow 2.8.
OLD_PROVIDER = PROVIDER.startswith("8.")
TITLE = f"## Airflow {VERSION}, provider {PROVIDER}"


def table() -> dict[str, dict[str, str]]:
    """The cells of the table for this version, by row and column."""
    section = re.search(rf"^{re.escape(TITLE)}\n(.*?)(?=^## |\Z)", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| ([^|]+?) \|(.*)\|$", section[1] if section else "", re.MULTILINE)
    return {name: dict(zip(COLUMNS, (cell.strip() for cell in cells.split("|")), strict=True)) for name, cells in rows}


def outcome(row: str, column: str, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Runs one cell."""
    shorten_pauses(monkeypatch)
    use_settings(monkeypatch, COLUMNS[column])
    with tempfile.TemporaryDirectory() as folder:
        return run(rows_for(old_provider=OLD_PROVIDER)[row], Path(folder))


def section() -> str:
    """Runs every cell for this version, and returns its section of the document."""
    lines = [TITLE, "", f"| | {' | '.join(COLUMNS)} |", f"|---|{'---|' * len(COLUMNS)}"]
    for row in rows_for(old_provider=OLD_PROVIDER):
        cells = []
        for column in COLUMNS:
            with pytest.MonkeyPatch.context() as monkeypatch:
                cells.append(str(outcome(row, column, monkeypatch)))
        lines.append(f"| {row} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def _numbers(one: str) -> list[int]:
    """The version of Airflow in the title of a section."""
    return [int(number) for number in re.findall(r"\d+", one.splitlines()[0])]


def main() -> None:
    """Replaces the section for this version in the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="run every row and write the document")
    parser.parse_args()
    head, *sections = re.split(r"(?=^## )", DOCUMENT.read_text(), flags=re.MULTILINE)
    others = [one.rstrip() + "\n" for one in sections if not one.startswith(f"{TITLE}\n")]
    newest_first = sorted([*others, section()], key=_numbers, reverse=True)
    DOCUMENT.write_text(head.rstrip() + "\n\n" + "\n".join(newest_first))


if __name__ == "__main__":
    main()
