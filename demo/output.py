"""What the demo prints: a line as each thing happens, and a table at the end."""

import os
import threading
import time
from typing import TextIO

from result import Result

_COLOURS = {
    "nothing": "33",
    "sigkill": "31",
    "admin": "31",
    "sigterm": "35",
    "native": "31",
    "exeunt": "32",
    "native-exeunt": "32",
}
_COLUMNS = ("case", "ended?", "task's exit to proxy gone", "written", "delivered", "lost")
_NAME_WIDTH = max(map(len, _COLOURS))


class Output:
    """Prints lines from several threads, each whole, with the time since the tasks began."""

    def __init__(self, out: TextIO) -> None:
        """Uses colours on a terminal only, and not if NO_COLOR is set (no-color.org)."""
        self._out = out
        self._coloured = out.isatty() and not os.environ.get("NO_COLOR")
        self._lock = threading.Lock()
        self._zero: float | None = None
        self._closed = False

    def say(self, text: str) -> None:
        """Prints a line without a time."""
        with self._lock:
            print(text, file=self._out, flush=True)

    def start_clock(self, at: float) -> None:
        """Sets the zero of all times."""
        self._zero = at

    def close(self) -> None:
        """Prints no more lines: what ends from now on, the demo itself has ended."""
        self._closed = True

    def line(self, case: str, text: str, at: float | None = None) -> None:
        """Prints what has happened in a case."""
        if self._zero is None or self._closed:
            return
        passed = ((time.monotonic() if at is None else at) - self._zero) * 1000
        self.say(f"{passed:7,.0f} ms  {self._in_colour(case, f'{case:<{_NAME_WIDTH}}')}  {text}")

    def table(self, results: tuple[Result, ...]) -> None:
        """Prints how each case ended."""
        head, *rows = table(results)
        self.say(f"\n{head}")
        for result, row in zip(results, rows, strict=True):
            self.say(self._in_colour(result.name, row[: len(result.name)]) + row[len(result.name) :])

    def _in_colour(self, case: str, text: str) -> str:
        return f"\033[{_COLOURS[case]}m{text}\033[0m" if self._coloured and case in _COLOURS else text


def table(results: tuple[Result, ...]) -> list[str]:
    """The lines of the table: its head, and a row for each case."""
    rows = [_COLUMNS, *(_cells(result) for result in results)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(_COLUMNS))]
    # Words to the left, figures to the right.
    return [
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _cells(result: Result) -> tuple[str, ...]:
    watched_s = (result.seen_until_ms - result.task_exit_ms) / 1000
    gone = result.exit_to_gone_ms
    after = f"still there after {watched_s:.0f} s" if gone is None else f"{gone:,.0f} ms"
    ended = "no" if gone is None else "yes"
    return (result.name, ended, after, f"{result.written:,}", f"{result.delivered:,}", f"{result.lost:,}")
