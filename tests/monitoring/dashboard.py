"""The dashboard as a list of queries."""

import json
from dataclasses import dataclass
from typing import Any

from harness.paths import ROOT

FILE = ROOT / "deploy" / "monitoring" / "dashboard.json"
# What Grafana puts in the place of its variables.
_VARIABLES = {"$namespace": ".*", "$owner_kind": ".*", "$__rate_interval": "1m", "$__range": "5m"}


@dataclass(frozen=True)
class Query:
    """One query of a panel."""

    panel: str
    written: str
    legend: str
    is_range: bool

    @property
    def sent(self) -> str:
        """The expression as Grafana sends it."""
        expression = self.written
        for name, value in _VARIABLES.items():
            expression = expression.replace(name, value)
        return expression

    def __str__(self) -> str:
        return self.panel


def board() -> dict[str, Any]:
    """The whole file."""
    read: dict[str, Any] = json.loads(FILE.read_text())
    return read


def queries() -> list[Query]:
    """Every query of every panel."""
    return [
        Query(panel["title"], target["expr"], target["legendFormat"], target["range"])
        for panel in board()["panels"]
        for target in panel["targets"]
    ]
