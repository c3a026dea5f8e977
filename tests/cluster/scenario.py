"""What a scenario is."""

from collections.abc import Callable
from dataclasses import dataclass

from .play import Play


@dataclass(frozen=True)
class Scenario:
    """A name to call it by, a sentence that holds on every cluster, and how it is played."""

    name: str
    sentence: str
    play: Callable[[Play], None]
