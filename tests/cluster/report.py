"""The result of a run: a table, JSON, JUnit, and a page in Markdown. Nothing here talks to a cluster."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .facts import Facts

Json = dict[str, Any]

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
_MARK = {PASSED: "ok", FAILED: "FAILED", SKIPPED: "skipped"}


@dataclass
class Result:
    """The result of one scenario."""

    name: str
    sentence: str
    outcome: str
    # Why it failed or was skipped.
    why: list[str] = field(default_factory=list)
    seconds: float = 0.0
    facts: Facts = field(default_factory=Facts)
    evidence: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """The results of a run."""

    date: str
    command: str
    versions: dict[str, str]
    results: list[Result] = field(default_factory=list)
    interrupted: bool = False

    def count(self, outcome: str) -> int:
        """How many scenarios have this outcome."""
        return sum(result.outcome == outcome for result in self.results)

    def as_json(self) -> Json:
        """For a file."""
        return asdict(self)


def of_json(data: Json) -> Run:
    """The run that `as_json` gave."""
    results = [Result(**{**one, "facts": Facts(**one["facts"])}) for one in data["results"]]
    return Run(**{**data, "results": results})


def cells(result: Result) -> tuple[str, ...]:
    """The row of a result: the outcome of the scenario, and what became of pod, proxy and bytes."""
    facts = result.facts
    verdict = facts.verdict or {}
    proxy = str(verdict.get("proxy") or ("refused" if "refused" in verdict else ""))
    if proxy in ("gone", "left") and verdict.get("drainMs") is not None:
        proxy = f"{proxy}, {verdict['drainMs']:,} ms"
    after = "" if facts.seconds_after is None else f"{facts.seconds_after} s"
    moved = "" if facts.received is None else f"{facts.received:,} of {facts.written or 0:,}"
    restarts = str(facts.restarts["istio-proxy"]) if "istio-proxy" in facts.restarts else ""
    code = facts.exits.get("base")
    pod = f"{facts.phase}{'' if code is None else f', {code}'}"
    return (result.name, _MARK[result.outcome], pod, facts.job, proxy, restarts, after, moved)


_ABOUT = """\
`./build.sh e2e --render` writes this page; do not edit it. The receiver counts the bytes; mostly it reads 2 MB/s. The agent
measures the milliseconds from the end of the task to the end of the proxy; they include the time that the receiver needs. The
column "pod's end" is the time from the end of the main container to the end of the last container, in whole seconds, as
kubelet reports it.
"""

HEADS = ("scenario", "", "pod, exit code", "Job", "proxy, after the task", "restarts", "pod's end", "bytes")


def table(run: Run) -> str:
    """For a terminal."""
    rows = [HEADS, *(cells(result) for result in run.results)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for result in run.results:
        lines += [f"{_MARK[result.outcome]} {result.name}: {why}" for why in result.why]
    return "\n".join([*lines, totals(run)])


def evidence(run: Run) -> list[str]:
    """What was recorded about the scenarios that failed."""
    failed = [result for result in run.results if result.outcome == FAILED]
    lines = []
    for result in failed:
        for name, text in result.evidence.items():
            lines += [f"=== {result.name}: {name}", *text.splitlines()]
    return lines


def totals(run: Run) -> str:
    """The last line."""
    text = ", ".join(f"{run.count(outcome)} {outcome}" for outcome in (PASSED, FAILED, SKIPPED))
    return f"{text}; interrupted" if run.interrupted else text


def junit(run: Run) -> str:
    """In JUnit's format."""
    seconds = sum(result.seconds for result in run.results)
    counts = {
        "tests": len(run.results),
        "failures": run.count(FAILED),
        "errors": int(run.interrupted),
        "skipped": run.count(SKIPPED),
    }
    numbers = {name: str(number) for name, number in counts.items()}
    root = ElementTree.Element("testsuites")
    suite = ElementTree.SubElement(root, "testsuite", name="exeunt e2e", timestamp=run.date, time=f"{seconds:.1f}", **numbers)
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in run.versions.items():
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for result in run.results:
        case = ElementTree.SubElement(suite, "testcase", classname="e2e", name=result.sentence, time=f"{result.seconds:.1f}")
        why = "; ".join(result.why)
        if result.outcome == FAILED:
            text = "\n".join(f"=== {name}\n{value}" for name, value in result.evidence.items())
            ElementTree.SubElement(case, "failure", message=why).text = _printable(text)
        if result.outcome == SKIPPED:
            ElementTree.SubElement(case, "skipped", message=why)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def page(runs: list[Run]) -> str:
    """In Markdown: every run with its versions, its table, and what was skipped or failed."""
    lines = ["# Results on real clusters", ""]
    lines += _ABOUT.splitlines()
    for run in runs:
        lines += ["", *_section(run)]
    return "\n".join(lines) + "\n"


def _section(run: Run) -> list[str]:
    versions = run.versions
    istio, envoy, kubernetes = (versions.get(name, "?") for name in ("istio", "envoy", "kubernetes"))
    lines = [f"## Istio {istio}, Envoy {envoy}, Kubernetes {kubernetes}", ""]
    others = {name: value for name, value in versions.items() if name not in ("istio", "envoy", "kubernetes")}
    lines += [f"{run.date}, {', '.join(f'{name} {value}' for name, value in others.items())}.", "", f"    {run.command}", ""]
    lines += [f"{totals(run)}.", "", f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
    lines += [f"| {' | '.join(cells(result))} |" for result in run.results]
    for heading, outcome in (("Failed", FAILED), ("Skipped", SKIPPED)):
        few = [result for result in run.results if result.outcome == outcome]
        if few:
            lines += ["", f"{heading}:", ""]
            lines += [f"- `{result.name}`, {result.sentence}: {_inline('; '.join(result.why))}" for result in few]
    lines += ["", "What each scenario checks, and its notes:", ""]
    for result in run.results:
        notes = f" ({_inline('; '.join(result.facts.notes))})" if result.facts.notes else ""
        lines.append(f"- `{result.name}`: {result.sentence}{notes}")
    return lines


def write(run: Run, folder: Path) -> None:
    """Writes all three files. Each appears in one move, so nobody reads half a file."""
    folder.mkdir(exist_ok=True)
    files = {
        "e2e.json": _document(run),
        "e2e.xml": junit(run),
        "report.md": page([run]),
    }
    for name, text in files.items():
        half = folder / f".{name}.new"
        half.write_text(text)
        half.replace(folder / name)


def _document(run: Run) -> str:
    """With a line for each result: then two runs are easy to compare."""
    data = run.as_json()
    results = ",\n".join(json.dumps(result) for result in data.pop("results"))
    return f'{json.dumps(data)[:-1]}, "results": [\n{results}\n]}}\n'


def _inline(text: str) -> str:
    """As one line of a Markdown list."""
    return " ".join(text.split()).replace("|", "\\|")


def _printable(text: str) -> str:
    """Without characters that XML forbids: a log may contain any."""
    return "".join(char for char in text if char in "\n\t" or ord(char) >= ord(" "))
