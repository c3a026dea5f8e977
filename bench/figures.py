"""A figure and its target."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """What was measured, and the most it may be; without a target it is only shown."""

    name: str
    value: float
    most: float | None

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.most is None or self.value <= self.most

    def as_json(self) -> dict[str, Any]:
        """As `--json` writes it."""
        return {"name": self.name, "value": round(self.value, 3), "most": self.most and round(self.most, 3), "met": self.met}


def report(figures: list[Figure]) -> None:
    """All figures, one a line."""
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        target = "" if figure.most is None else f"  at most {_shown(figure.most):>10}  {'met' if figure.met else 'MISSED'}"
        print(f"{figure.name:<{width}}  {_shown(figure.value):>10}{target}")


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"
