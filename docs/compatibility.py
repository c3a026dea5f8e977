"""Makes docs/compatibility.md from docs/compatibility.yaml: `.cache/venv/bin/python docs/compatibility.py`."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).with_suffix(".yaml")
PAGE = Path(__file__).with_suffix(".md")

HEAD = """\
# What exeunt works with, and how we know it

<!-- docs/compatibility.py makes this page from docs/compatibility.yaml: change that file, and run the script. -->

Each cell says how we know it:

- **tested**: a test of this repository shows it, and `./build.sh test --all` repeats it. Brackets say what the test covers,
  if that is not all;
- **seen**: it ran on a real cluster; the file that the note names has the result;
- **reasoned**: the source code that the note names shows it; nobody has run it;
- **not supported**, with the reason.
"""
WORDS = {"tested": "tested", "seen": "seen", "reasoned": "reasoned", "unsupported": "not supported"}

Evidence = dict[str, str]


class Unproven(Exception):
    """The evidence for a cell does not exist."""


def kind(evidence: Evidence) -> str:
    """Which kind of evidence it is."""
    (found,) = set(evidence) - {"of"}
    if found not in WORDS:
        raise Unproven(f"{found} is not allowed: must be one of {', '.join(WORDS)}")
    return found


def check(evidence: Evidence) -> None:
    """Raises `Unproven` if the evidence does not exist."""
    said = evidence[kind(evidence)]
    path, _, name = said.partition("::")
    if kind(evidence) == "seen":
        if not (ROOT / path).is_file():
            raise Unproven(f"{said}: there is no such file")
        if name and not any(result["name"] == name and result["outcome"] == "passed" for result in run(path)["results"]):
            raise Unproven(f"{said}: no such scenario has passed there")
    if kind(evidence) == "tested":
        text = (ROOT / path).read_text() if (ROOT / path).is_file() else ""
        # A function of Python or Rust, or a title in JavaScript.
        if not re.search(rf"(?m)^\s*(?:def|fn) {re.escape(name)}\(|^test\('{re.escape(name)}'", text):
            raise Unproven(f"{said}: there is no such test")


def run(path: str) -> dict[str, Any]:
    """A recorded run of `./build.sh e2e`."""
    recorded: dict[str, Any] = json.loads((ROOT / path).read_text())
    return recorded


def note_of(evidence: Evidence) -> str:
    """What the page says about it."""
    note = evidence[kind(evidence)]
    path, _, name = note.partition("::")
    if kind(evidence) == "tested":
        return f"`{note}`"
    if kind(evidence) == "seen" and name:
        versions = run(path)["versions"]
        of = f"Istio {versions['istio']}, Envoy {versions['envoy']}, Kubernetes {versions['kubernetes'].removeprefix('v')}"
        return f"`{name}` in [the cluster report](cluster-report.md), {of}"
    return f"[{note}](../{note})" if kind(evidence) == "seen" else note


def page(data: dict[str, Any]) -> str:
    """The whole page."""
    notes: list[str] = []
    parts = [HEAD]
    for table in data["tables"]:
        columns = table["columns"]
        lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
        for name, cells in table["rows"].items():
            if len(cells) != len(columns):
                raise Unproven(f"{table['title']}, {name}: has {len(cells)} cells, must have {len(columns)}")
            lines.append(f"| {name} | " + " | ".join(cell(evidences, notes) for evidences in cells) + " |")
        parts.append(f"## {table['title']}\n\n{table['about'].strip()}\n\n" + "\n".join(lines) + "\n")
    parts.append("## The evidence\n\n" + "\n".join(f"{number}. {note}" for number, note in enumerate(notes, 1)) + "\n")
    return "\n".join(parts)


def cell(evidences: list[Evidence], notes: list[str]) -> str:
    """A cell, with the numbers of its notes."""
    said = []
    for evidence in evidences:
        check(evidence)
        note = note_of(evidence)
        if note not in notes:
            notes.append(note)
        of = f" ({evidence['of']})" if "of" in evidence else ""
        said.append(f"{WORDS[kind(evidence)]}{of} [{notes.index(note) + 1}](#the-evidence)")
    return ", ".join(said)


def main() -> int:
    """Writes the page."""
    PAGE.write_text(page(yaml.safe_load(DATA.read_text())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
