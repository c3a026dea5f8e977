"""How an act ended."""

from dataclasses import dataclass
from typing import Any


@dataclass
class Ending:
    """How an act ended."""

    name: str
    written: int
    delivered: int
    # None: the proxy was still running.
    exit_to_gone_s: float | None
    watched_s: float
    route: str | None = None

    @property
    def kept_the_promise(self) -> bool:
        """Ended, and nothing lost."""
        return self.exit_to_gone_s is not None and self.delivered == self.written

    def words(self) -> tuple[str, ...]:
        """As the table shows it."""
        ended = "no" if self.exit_to_gone_s is None else "yes"
        after = (
            f"still there after {self.watched_s:.0f} s"
            if self.exit_to_gone_s is None
            else f"{self.exit_to_gone_s * 1000:,.0f} ms"
        )
        return (ended, after, f"{self.written:,}", f"{self.delivered:,}", f"{self.written - self.delivered:,}")

    def as_json(self) -> dict[str, Any]:
        """As `--json` writes it."""
        return {
            "name": self.name,
            "ended": self.exit_to_gone_s is not None,
            "exitToGoneMs": None if self.exit_to_gone_s is None else round(self.exit_to_gone_s * 1000, 1),
            "bytesWritten": self.written,
            "bytesDelivered": self.delivered,
            "route": self.route,
        }
