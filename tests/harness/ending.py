"""The end of a process, to the millisecond."""

import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Callable

from .wait import TooLate


class Ending:
    """Observes the end of a process through a pidfd.

    A pidfd works for any process, not only for a child, and it never means another process that has got the same id.
    """

    def __init__(self, pid: int, describe: Callable[[], str] = str) -> None:
        """`describe` returns what `TooLate` shows when the process does not end in time."""
        self.pid = pid
        self.at: float | None = None
        self._describe = describe
        self._pidfd = os.pidfd_open(pid)
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.poll()
        self.at = time.monotonic()
        self._ended.set()

    def wait(self, within: float) -> float:
        """Waits for the end and returns its time; raises `TooLate` after `within` seconds."""
        if not self._ended.wait(within) or self.at is None:
            raise TooLate(f"process {self.pid} was still running after {within:g} s; {self._describe()}")
        return self.at

    def comes(self, within: float) -> bool:
        """Whether the process ends within that many seconds."""
        return self._ended.wait(within)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if the process still exists."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def close(self) -> None:
        """Closes the pidfd, but only after the end: until then the watching thread uses it."""
        if self._ended.is_set():
            os.close(self._pidfd)
