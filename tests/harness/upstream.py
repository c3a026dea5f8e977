"""The server of an upload: how fast it reads, and what has arrived."""

from dataclasses import dataclass
from pathlib import Path

from .child import Child, Report
from .network import HOST, Address, Network
from .paths import PROGRAMS, PYTHON


@dataclass(frozen=True)
class Delivery:
    """The end of one connection, as the server saw it."""

    bytes: int
    crc: int
    in_order: bool
    # The time of the last byte, and the time of the connection's end.
    last_at: float
    at: float


class Upstream(Child):
    """A server process. `programs/upstream.py` explains the options."""

    def __init__(
        self,
        folder: Path,
        *,
        mode: str = "read",
        rate: int = 0,
        close_after_ms: int = 0,
        greeting: str = "",
        network: Network = HOST,
        container: str = "server",
        host: str = "127.0.0.1",
        port: int = 0,
        uid: int | None = None,
    ) -> None:
        """Starts the server; `rate` is in bytes per second and connection, 0 for no limit."""
        argv: list[str | Path] = [*PYTHON, PROGRAMS / "upstream.py", "--listen", host, "--mode", mode, "--rate", str(rate)]
        argv += ["--close-after", str(close_after_ms), "--greeting", greeting]
        argv += ["--port", str(port)]
        if uid is not None:
            argv += ["--uid", str(uid)]
        # How long the server can still read bytes that its own kernel has already acknowledged: a receive buffer of 64 KiB, which
        # the kernel doubles (socket(7)). 0.2 s more for a busy machine.
        self.unread_s = 0.2 + (128 * 1024 / rate if rate else 0)
        super().__init__(argv, folder / f"upstream-{mode}.log", network=network, container=container)
        self.address: Address = (host, self.report("listening")["port"])

    def arrived(self, connection: int = 1) -> int:
        """How many bytes of a connection have arrived so far; the number is at most 0.1 s old."""
        counts = [report["bytes"] for report in self.reports if report.get("connection") == connection and "bytes" in report]
        return counts[-1] if counts else 0

    def deliveries(self, connections: int = 1, within: float = 30.0) -> list[Delivery]:
        """Waits for the ends of the first connections and returns them in the order of their times."""
        ends = [self._end(number, within) for number in range(1, connections + 1)]
        deliveries = [Delivery(end["bytes"], end["crc"], end["event"] == "fin", end["last"], end["at"]) for end in ends]
        return sorted(deliveries, key=lambda delivery: delivery.at)

    def _end(self, number: int, within: float) -> Report:
        return self.await_report(
            f"the end of connection {number}",
            lambda report: report["event"] in ("fin", "reset") and report["connection"] == number,
            within,
        )
