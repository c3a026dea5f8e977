"""The results as a page of Markdown: report.md, and docs/cluster-report.md from the recorded runs."""

from .report import FAILED, SKIPPED, Run
from .table import HEADS, cells

_HEAD = """\
# Results on real clusters

`./build.sh e2e --render` makes this page from recorded runs; do not edit it. How to read the tables:

- *bytes*: counted by the receiver. In most scenarios it reads 2 MB/s.
- *proxy, after the task*: measured by the agent, in milliseconds from the task's end to the proxy's. This includes the time that
  the receiver needs.
- *pod's end*: how much later than its main container the pod's last container ended, by kubelet's own times, in whole seconds.
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
    lines = [f"## Istio {istio}, Envoy {envoy}, Kubernetes {kubernetes}", ""]
    others = {name: value for name, value in versions.items() if name not in ("istio", "envoy", "kubernetes")}
    lines += [f"{run.date}, {', '.join(f'{name} {value}' for name, value in others.items())}.", "", f"    {run.command}", ""]
    lines += [f"{run.totals()}.", "", f"| {' | '.join(HEADS)} |", f"|{' --- |' * len(HEADS)}"]
    lines += [f"| {' | '.join(cells(result))} |" for result in run.results]
    for heading, outcome in (("Failed", FAILED), ("Skipped", SKIPPED)):
        few = [result for result in run.results if result.outcome == outcome]
        if few:
            lines += ["", f"{heading}:", ""]
            lines += [f"- `{result.name}`, {result.sentence}: {_inline('; '.join(result.why))}" for result in few]
    lines += ["", "What each scenario checks, and what was noted:", ""]
    for result in run.results:
        notes = f" ({_inline('; '.join(result.facts.notes))})" if result.facts.notes else ""
        lines.append(f"- `{result.name}`: {result.sentence}{notes}")
    return lines


def _inline(text: str) -> str:
    """The text on one line of a Markdown list."""
    return " ".join(text.split()).replace("|", "\\|")
