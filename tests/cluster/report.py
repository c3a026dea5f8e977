"""The results of a run, and their form in e2e.json."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from .facts import Facts

Json = dict[str, Any]

# Two of the versions, in a run with --inject: what adds the agent, and where the filter comes from.
AGENT_BY, FILTER_FROM = "agent by", "filter from"
PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass
class Result:
    """The result of one scenario."""

    name: str
    sentence: str
    outcome: str
    # Why the scenario has failed or was skipped.
    why: list[str] = field(default_factory=list)
    seconds: float = 0.0
    facts: Facts = field(default_factory=Facts)
    evidence: dict[str, str] = field(default_factory=dict)


@dataclass
class Run:
    """A run and its results. The names of the fields are those in e2e.json."""

    date: str
    command: str
    versions: dict[str, str]
    results: list[Result] = field(default_factory=list)
    interrupted: bool = False
    # What --load has measured, as one sentence; empty without it.
    load: str = ""

    def count(self, outcome: str) -> int:
        """The number of scenarios with this outcome."""
        return sum(result.outcome == outcome for result in self.results)

    def totals(self) -> str:
        """The number of scenarios with each outcome, as text."""
        text = ", ".join(f"{self.count(outcome)} {outcome}" for outcome in (PASSED, FAILED, SKIPPED))
        return f"{text}; interrupted" if self.interrupted else text

    def as_json(self) -> Json:
        """The run as plain data."""
        return asdict(self)


def of_json(data: Json) -> Run:
    """The run in the data that `as_json` has made."""
    results = [Result(**{**one, "facts": Facts(**one["facts"])}) for one in data["results"]]
    return Run(**{**data, "results": results})


def document(run: Run) -> str:
    """The text of e2e.json: one line per result, so that two runs can be compared with diff."""
    data = run.as_json()
    results = ",\n".join(json.dumps(result) for result in data.pop("results"))
    return f'{json.dumps(data)[:-1]}, "results": [\n{results}\n]}}\n'
