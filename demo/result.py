"""The result of a run, as `--json` writes it and as table and picture show it."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cases import NAMES

# A curve of so many points is smooth at any width, and the file stays small.
_MOST_POINTS = 60


class NoRun(Exception):
    """A file that `--json` has not written."""


@dataclass(frozen=True)
class Result:
    """How one case ended. Times are in milliseconds since all tasks began."""

    name: str
    # None: the proxy was still running when the demo stopped looking.
    exit_to_gone_ms: float | None
    written: int
    delivered: int
    # How the proxy was ended; None: it was not, or ended by itself.
    route: str | None
    task_exit_ms: float
    # When the proxy had gone, or when the demo stopped looking.
    seen_until_ms: float
    # What had arrived at the server at which time.
    arrivals: tuple[tuple[float, int], ...]

    @property
    def lost(self) -> int:
        """What the task has written and the server has not got; of a proxy that stays, nothing is lost."""
        return self.written - self.delivered

    @property
    def is_complete(self) -> bool:
        """Whether the proxy has ended and nothing is lost."""
        return self.exit_to_gone_ms is not None and self.lost == 0

    def as_json(self) -> dict[str, Any]:
        """For a file."""
        return {
            "name": self.name,
            "ended": self.exit_to_gone_ms is not None,
            "exitToGoneMs": self.exit_to_gone_ms,
            "bytesWritten": self.written,
            "bytesDelivered": self.delivered,
            "route": self.route,
            "taskExitMs": self.task_exit_ms,
            "seenUntilMs": self.seen_until_ms,
            "arrivals": [list(point) for point in self.arrivals],
        }

    @classmethod
    def of_json(cls, data: dict[str, Any]) -> Self:
        """What `as_json` gave."""
        return cls(
            name=data["name"],
            exit_to_gone_ms=data["exitToGoneMs"],
            written=data["bytesWritten"],
            delivered=data["bytesDelivered"],
            route=data["route"],
            task_exit_ms=data["taskExitMs"],
            seen_until_ms=data["seenUntilMs"],
            arrivals=tuple((at, count) for at, count in data["arrivals"]),
        )


@dataclass(frozen=True)
class Run:
    """All cases of one run."""

    envoy: str
    wasm_bytes: int
    agent_bytes: int
    megabytes: int
    rate: int
    results: tuple[Result, ...]

    @property
    def kept_its_promise(self) -> bool:
        """Whether every case with exeunt has ended with nothing lost."""
        return all(result.is_complete for result in self.results if "exeunt" in result.name)

    def write(self, file: Path) -> None:
        """Writes it as JSON. The keys that had a name before the picture keep it."""
        document = {
            "envoy": self.envoy,
            "wasmBytes": self.wasm_bytes,
            "agentBytes": self.agent_bytes,
            "megabytes": self.megabytes,
            "rate": self.rate,
            "acts": [result.as_json() for result in self.results],
        }
        text = json.dumps(document, indent=2)
        # Each point of a curve on one line.
        file.write_text(re.sub(r"\[\s+([\d.]+),\s+(\d+)\s+\]", r"[\1, \2]", text) + "\n")

    @classmethod
    def read(cls, file: Path) -> Self:
        """What `write` wrote."""
        try:
            data = json.loads(file.read_text())
            results = tuple(Result.of_json(act) for act in data["acts"])
            run = cls(data["envoy"], data["wasmBytes"], data["agentBytes"], data["megabytes"], data["rate"], results)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise NoRun(f"{file} is not a file that --json wrote: {type(error).__name__}: {error}") from None
        unknown = [result.name for result in results if result.name not in NAMES]
        if unknown or not results:
            raise NoRun(f"{file} is not a file that --json wrote: it has {', '.join(unknown) or 'no cases'}")
        return run


def thinned(points: list[tuple[float, int]]) -> tuple[tuple[float, int], ...]:
    """The same curve with few points; the first and the last stay."""
    step = max(1, -(-len(points) // _MOST_POINTS))
    kept = points[::step]
    if points and kept[-1] != points[-1]:
        kept.append(points[-1])
    return tuple((round(at, 1), count) for at, count in kept)
