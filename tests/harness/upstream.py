"""The far end of an upload: how slow it is, and what arrived."""

from dataclasses import dataclass
from pathlib import Path

from .child import Child, Report
from .network import HOST, Address, Network
from .paths import PROGRAMS, PYTHON


@dataclass(frozen=True)
class Delivery:
    """How one connection ended at the upstream."""

    bytes: int
    crc: int
    in_order: bool
    # When the last byte was read, and when the connection's end was.
    last_at: float
    at: float


class Upstream(Child):
    """A server process; see `programs/upstream.py` for what the words mean."""

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
        """Starts it; `rate` is in bytes per second and connection, 0 for no limit."""
        argv: list[str | Path] = [*PYTHON, PROGRAMS / "upstream.py", "--listen", host, "--mode", mode, "--rate", str(rate)]
        argv += ["--close-after", str(close_after_ms), "--greeting", greeting]
        argv += ["--port", str(port)]
        if uid is not None:
            argv += ["--uid", str(uid)]
        # For so long it can still read what its own kernel has taken and ACKed: a receive buffer of 64 KiB, doubled by the kernel
        # (socket(7)); and as much again as a busy machine may be late.
        self.unread_s = 0.2 + (128 * 1024 / rate if rate else 0)
        super().__init__(argv, folder / f"upstream-{mode}.log", network=network, container=container)
        self.address: Address = (host, self.report("listening")["port"])

    def arrived(self, connection: int = 1) -> int:
        """How many bytes of a connection have arrived so far, to within a tenth of a second."""
        counts = [report["bytes"] for report in self.reports if report.get("connection") == connection and "bytes" in report]
        return counts[-1] if counts else 0

    def deliveries(self, connections: int = 1, within: float = 30.0) -> list[Delivery]:
        """How the first connections ended, in the order of their ends; waits for them."""
        ends = [self._end(number, within) for number in range(1, connections + 1)]
        deliveries = [Delivery(end["bytes"], end["crc"], end["event"] == "fin", end["last"], end["at"]) for end in ends]
        return sorted(deliveries, key=lambda delivery: delivery.at)

    def _end(self, number: int, within: float) -> Report:
        return self.await_report(
            f"the end of connection {number}",
            lambda report: report["event"] in ("fin", "reset") and report["connection"] == number,
            within,
        )
