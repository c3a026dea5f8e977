"""What the audience sees: a line as each thing happens, and the closing table."""

import os
import threading
import time
from typing import TextIO

from ending import Ending

_COLOURS = {"nothing": "33", "sigkill": "31", "exeunt": "32"}
_COLUMNS = ("act", "ended?", "task's exit to proxy gone", "written", "delivered", "lost")


class Stage:
    """Prints lines from several threads, each whole, with the time since the tasks began."""

    def __init__(self, out: TextIO) -> None:
        """Colours only where somebody looks on, and has not asked for none (no-color.org)."""
        self._out = out
        self._coloured = out.isatty() and not os.environ.get("NO_COLOR")
        self._lock = threading.Lock()
        self._zero: float | None = None
        self._over = False

    def say(self, text: str) -> None:
        """A line of its own."""
        with self._lock:
            print(text, file=self._out, flush=True)

    def curtain(self, at: float) -> None:
        """The tasks begin: the zero of all times."""
        self._zero = at

    def fall_silent(self) -> None:
        """Nothing more is said: what ends from now on is ended by us."""
        self._over = True

    def line(self, act: str, text: str, at: float | None = None) -> None:
        """Something has happened in an act."""
        if self._zero is None or self._over:
            return
        passed = ((time.monotonic() if at is None else at) - self._zero) * 1000
        self.say(f"{passed:7,.0f} ms  {self._coloured_as(act, f'{act:<8}')} {text}")

    def table(self, endings: dict[str, Ending]) -> None:
        """How each act ended."""
        rows = [(name, ending.words()) for name, ending in endings.items()]
        widths = [max(len(row[i]) for row in (_COLUMNS, *((name, *words) for name, words in rows))) for i in range(len(_COLUMNS))]

        def laid_out(cells: tuple[str, ...]) -> list[str]:
            # Names to the left, figures to the right.
            return [
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
            ]

        self.say("\n" + "  ".join(laid_out(_COLUMNS)).rstrip())
        for name, words in rows:
            first, *others = laid_out((name, *words))
            self.say("  ".join([self._coloured_as(name, first), *others]).rstrip())

    def _coloured_as(self, act: str, text: str) -> str:
        return f"\033[{_COLOURS[act]}m{text}\033[0m" if self._coloured and act in _COLOURS else text
