"""A figure and its limit."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """What was measured, and its limit. A figure without a limit is only shown."""

    name: str
    value: float
    most: float | None

    @property
    def met(self) -> bool:
        """Whether the limit is kept."""
        return self.most is None or self.value <= self.most

    def as_json(self) -> dict[str, Any]:
        """As `--json` writes it."""
        return {"name": self.name, "value": round(self.value, 3), "most": self.most and round(self.most, 3), "met": self.met}


def report(figures: list[Figure]) -> None:
    """Prints all figures, one a line."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        limit = "" if figure.most is None else f"  at most {_shown(figure.most):>10}  {'met' if figure.met else 'MISSED'}"
        print(f"{figure.name:<{width}}  {_shown(figure.value):>10}{limit}")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
