"""The results as a page of Markdown: report.md, and docs/cluster-report.md from the recorded runs."""

from .report import AGENT_BY, FAILED, FILTER_FROM, SKIPPED, Run
from .table import HEADS, cells

_HEAD = """\
# Results on real clusters

`./build.sh e2e --render` writes this page; do not edit it. The receiver counts the bytes; mostly it reads 2 MB/s. The agent
measures the milliseconds from the end of the task (as a native sidecar beside a native proxy: from kubelet's SIGTERM) until the
proxy has ended or is drained; they include the time that the receiver needs. The column "pod's end" is the time from the end of
the main container to the end of the last container, in whole seconds, as kubelet reports it.
"""


def page(runs: list[Run]) -> str:
    """The page: for each run its versions, the table, and what was skipped and what has failed."""
    lines = _HEAD.splitlines()
    for run in runs:
        lines += ["", *_section(run)]
    return "\n".join(lines) + "\n"


def _section(run: Run) -> list[str]:
    versions = run.versions
    istio, envoy, kubernetes = (versions.get(name, "?") for name in ("istio", "envoy", "kubernetes"))
    way, source = versions.get(AGENT_BY), versions.get(FILTER_FROM)
    ordinary = f": ordinary Jobs, the agent by {way}, the filter from {source}" if way else ""
    lines = [f"## Istio {istio}, Envoy {envoy}, Kubernetes {kubernetes}{ordinary}", ""]
    inside = ("istio", "envoy", "kubernetes", AGENT_BY, FILTER_FROM)
    others = {name: value for name, value in versions.items() if name not in inside}
    busy = [f"{run.load}.", ""] if run.load else []
    lines += [f"{run.date}, {', '.join(f'{name} {value}' for name, value in others.items())}.", "", f"    {run.command}", ""]
    lines += [*busy, f"{run.totals()}.", "", f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
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


def _inline(text: str) -> str:
    """The text on one line of a Markdown list."""
    return " ".join(text.split()).replace("|", "\\|")
