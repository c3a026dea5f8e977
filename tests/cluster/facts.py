"""What is seen of a scenario's pod."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass
class Facts:
    """What was seen, as the report shows it."""

    phase: str = ""
    job: str = ""
    exits: dict[str, int] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    seconds_after: int | None = None
    written: int | None = None
    received: int | None = None
    verdict: Json | None = None
    notes: list[str] = field(default_factory=list)
