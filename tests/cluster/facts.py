"""What was observed of a scenario's pod."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Facts:
    """The observations, as the report shows them. Recorded runs have the same names."""

    phase: str = ""
    job: str = ""
    exits: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    seconds_after: int | None = None
    written: int | None = None
    received: int | None = None
    verdict: Json | None = None
    notes: list[str] = field(default_factory=list)

    def verdict_field(self, name: str) -> Any:
        """A field of the verdict; `None` if there is no verdict or no such field."""
        return (self.verdict or {}).get(name)

    @property
    def undelivered(self) -> int:
        """The number of bytes that the verdict calls undelivered; 0 if there is no verdict."""
        return int((self.verdict_field("undelivered") or {}).get("bytes", 0))

    @property
    def lost(self) -> int:
        """How many of the written bytes have not arrived."""
        return (self.written or 0) - (self.received or 0)
