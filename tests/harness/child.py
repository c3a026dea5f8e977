"""A child process: its end to the millisecond, its reports, its log, and that it is gone when nobody needs it any more."""

import contextlib
import json
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .network import HOST, Network
from .wait import TooLate

Report = dict[str, Any]

_LAST_LINES = 30
_LONGEST_LINE = 300
_TELLS_NOTHING = ("Deprecated field", "envoy bug", "envoy_bug", "server.cc:54", "server.cc:46", "loading ")


class Ending:
    """Sees a process end, by pidfd: exact, whoever its parent is, and safe against a reused process id."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.at: float | None = None
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
        """The time at which the process ended, or `TooLate`."""
        if not self._ended.wait(within) or self.at is None:
            raise TooLate(f"process {self.pid} was still running after {within:g} s")
        return self.at

    def comes(self, within: float) -> bool:
        """Whether it ends in that time."""
        return self._ended.wait(within)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if the process is still there."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def close(self) -> None:
        """Gives the descriptor back; only after the end, since the watching thread uses it."""
        if self._ended.is_set():
            os.close(self._pidfd)


class Child:
    """A process that is killed at the end of its `with` block, if it has not ended by itself."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        *,
        network: Network = HOST,
        container: str = "",
        uid: int | None = None,
        reports: bool = True,
    ) -> None:
        """Starts `argv`; what it writes to stderr goes to `log`, and its stdout too unless it makes `reports` there."""
        self.log = log
        self.reports: list[Report] = []
        self._news = threading.Condition()
        self._said_all = not reports
        self._name = Path(argv[0]).name
        hear, tell = os.pipe()
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                network.command([str(word) for word in argv], container=container, uid=uid, tell=tell),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if reports else sink,
                stderr=sink,
                # A group of its own: Ctrl-C is for the one who started it, who then ends it in order.
                process_group=0,
                pass_fds=(tell,) if network.stays_outside else (),
            )
        os.close(tell)
        with os.fdopen(hear) as told:
            # The command's own process id, as this machine sees it.
            self.pid = int(told.read() or self._process.pid)
        self.started_at = time.monotonic()
        self.ending = Ending(self.pid)
        # Reaps at once, because the kernel tells a watcher the exit status only then (PIDFD_INFO_EXIT, Linux 6.15).
        threading.Thread(target=self._process.wait, daemon=True).start()
        self._reader = threading.Thread(target=self._read, daemon=True) if reports else None
        if self._reader is not None:
            self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = json.loads(line)
            with self._news:
                self.reports.append(report)
                self._news.notify_all()
        with self._news:
            self._said_all = True
            self._news.notify_all()

    def report(self, event: str, within: float = 10.0) -> Report:
        """The first report of `event`; waits for it."""
        return self.await_report(f"report {event!r}", lambda report: report["event"] == event, within)

    def await_report(self, what: str, wanted: Callable[[Report], bool], within: float = 10.0) -> Report:
        """The first report that is `wanted`; waits for it."""
        deadline = time.monotonic() + within
        with self._news:
            while True:
                for report in self.reports:
                    if wanted(report):
                        return report
                left = deadline - time.monotonic()
                # An ended process has said everything as soon as its pipe is read to the end.
                if left <= 0 or self._said_all:
                    raise TooLate(f"{what} did not come within {within:g} s; {self.describe()}")
                self._news.wait(left)

    def say(self, line: str) -> None:
        """Writes a line to the process's stdin."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def wait(self, within: float = 10.0) -> int:
        """The exit code, or minus the signal's number; waits for the end."""
        try:
            self.ending.wait(within)
        except TooLate as late:
            raise TooLate(f"{late}; {self.describe()}") from None
        return self._process.wait()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.ending.at is None

    def describe(self) -> str:
        """One line and the last lines of the log, for a failure."""
        state = "is running" if self.running else f"ended with {self._process.wait()}"
        return "\n".join([f"{self._name} (process {self.pid}) {state}, {self.log}:", *_last_lines(self.log)])

    def stop(self) -> None:
        """Kills it, if need be, and waits until it is gone."""
        self.ending.send(signal.SIGKILL)
        self.ending.wait(10)
        self._process.wait()
        if self._reader is not None:
            self._reader.join(10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # A buffered line that nobody will read any more must not fail the close.
                with contextlib.suppress(OSError):
                    pipe.close()
        self.ending.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _last_lines(log: Path) -> list[str]:
    """The end of a log, without what Envoy says about Istio's configuration at every start."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    telling = [line for line in lines if not any(word in line for word in _TELLS_NOTHING)]
    return [f"  | {line[:_LONGEST_LINE]}" for line in telling[-_LAST_LINES:]]
