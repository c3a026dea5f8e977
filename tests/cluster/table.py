"""The table of results for a terminal."""

from .report import FAILED, PASSED, SKIPPED, Result, Run
from .shape import MAIN, PROXY

_MARK = {PASSED: "ok", FAILED: "FAILED", SKIPPED: "skipped"}

HEADS = ("scenario", "", "pod, exit code", "Job", "proxy, after the task", "restarts", "pod's end", "bytes")


def cells(result: Result) -> tuple[str, ...]:
    """The row of a result: what became of the scenario, the pod, the proxy and the bytes."""
    facts = result.facts
    verdict = facts.verdict or {}
    proxy = str(verdict.get("proxy") or ("refused" if "refused" in verdict else ""))
    if proxy in ("gone", "left") and verdict.get("drainMs") is not None:
        proxy = f"{proxy}, {verdict['drainMs']:,} ms"
    after = "" if facts.seconds_after is None else f"{facts.seconds_after} s"
    moved = "" if facts.received is None else f"{facts.received:,} of {facts.written or 0:,}"
    restarts = str(facts.restarts[PROXY]) if PROXY in facts.restarts else ""
    code = facts.exits.get(MAIN)
    pod = f"{facts.phase}{'' if code is None else f', {code}'}"
    return (result.name, _MARK[result.outcome], pod, facts.job, proxy, restarts, after, moved)


def table(run: Run) -> str:
    """The table, the reasons of failures and skips, and the totals."""
    rows = [HEADS, *(cells(result) for result in run.results)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    for result in run.results:
        lines += [f"{_MARK[result.outcome]} {result.name}: {why}" for why in result.why]
    return "\n".join([*lines, run.totals()])


def evidence(run: Run) -> list[str]:
    """The evidence of every failed scenario, as lines."""
    lines = []
    for result in run.results:
        if result.outcome == FAILED:
            for name, text in result.evidence.items():
                lines += [f"=== {result.name}: {name}", *text.splitlines()]
    return lines
