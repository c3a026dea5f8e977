"""A child process: it reports on stdout, writes a log, and is ended by the test that started it."""

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .ending import Ending
from .network import HOST, Network
from .wait import TooLate

Report = dict[str, Any]

_LAST_LINES = 30
_MAX_LINE_LENGTH = 300
# Lines that Envoy writes at every start with Istio's configuration. They explain no failure.
_NOISE = ("Deprecated field", "envoy bug", "envoy_bug", "server.cc:54", "server.cc:46", "loading ")


class Child:
    """A process that is killed at the end of its `with` block, unless it has already ended."""

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
        """Starts `argv`. Its stderr goes to `log`; its stdout is read as reports, or goes to `log` too without `reports`."""
        self.log = log
        self.reports: list[Report] = []
        self._changed = threading.Condition()
        self._stdout_closed = not reports
        self._name = Path(argv[0]).name
        pid_reader, pid_writer = os.pipe()
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                network.command([str(word) for word in argv], container=container, uid=uid, tell=pid_writer),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if reports else sink,
                stderr=sink,
                # In its own process group: Ctrl-C reaches only the test program, which then ends its children in order.
                process_group=0,
                pass_fds=(pid_writer,) if network.starts_child else (),
            )
        os.close(pid_writer)
        with os.fdopen(pid_reader) as reader:
            # The process id of `argv` itself, in this machine's PID namespace.
            self.pid = int(reader.read() or self._process.pid)
        self.started_at = time.monotonic()
        self.ending = Ending(self.pid, self.describe)
        # Reaps the process at once: only then the kernel tells a watcher the exit status (PIDFD_INFO_EXIT, Linux 6.15).
        threading.Thread(target=self._process.wait, daemon=True).start()
        self._reader = threading.Thread(target=self._read, daemon=True) if reports else None
        if self._reader is not None:
            self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = json.loads(line)
            with self._changed:
                self.reports.append(report)
                self._changed.notify_all()
        with self._changed:
            self._stdout_closed = True
            self._changed.notify_all()

    def report(self, event: str, within: float = 10.0) -> Report:
        """Waits for the first report of `event` and returns it."""
        return self.await_report(f"report {event!r}", lambda report: report["event"] == event, within)

    def await_report(self, what: str, matches: Callable[[Report], bool], within: float = 10.0) -> Report:
        """Waits for the first report that `matches` and returns it."""
        deadline = time.monotonic() + within
        with self._changed:
            while True:
                for report in self.reports:
                    if matches(report):
                        return report
                left = deadline - time.monotonic()
                # After the end of the pipe no report can come.
                if left <= 0 or self._stdout_closed:
                    raise TooLate(f"{what} did not come within {within:g} s; {self.describe()}")
                self._changed.wait(left)

    def send_line(self, line: str) -> None:
        """Writes a line to the stdin of the process."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()

    def wait(self, within: float = 10.0) -> int:
        """Waits for the end and returns the exit code, or minus the number of the signal."""
        self.ending.wait(within)
        return self._process.wait()

    @property
    def running(self) -> bool:
        """Whether the process has not ended."""
        return self.ending.at is None

    def describe(self) -> str:
        """For a failure: the state of the process and the last lines of its log."""
        state = "is running" if self.running else f"ended with {self._process.wait()}"
        return "\n".join([f"{self._name} (process {self.pid}) {state}, {self.log}:", *_last_lines(self.log)])

    def stop(self) -> None:
        """Kills the process if it still runs, and waits for its end."""
        self.ending.send(signal.SIGKILL)
        self.ending.wait(10)
        self._process.wait()
        if self._reader is not None:
            self._reader.join(10)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                # Closing flushes a buffered line, which fails when the process has ended.
                with contextlib.suppress(OSError):
                    pipe.close()
        self.ending.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _last_lines(log: Path) -> list[str]:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    useful = [line for line in lines if not any(word in line for word in _NOISE)]
    return [f"  | {line[:_MAX_LINE_LENGTH]}" for line in useful[-_LAST_LINES:]]
