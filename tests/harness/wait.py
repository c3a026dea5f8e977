"""Waiting for a condition, with a deadline. Nothing here waits for time to pass."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Short beside every time that is measured (milliseconds), long enough to leave both cores to those who are waited for.
_LOOK_EVERY_S = 0.002


class TooLate(AssertionError):
    """A condition did not come true in time."""


def until(what: str, condition: Callable[[], T | None], within: float = 10.0) -> T:
    """Returns the first value of `condition` that is neither `None` nor `False`, or raises after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value is not None and value is not False:
            return value
        if time.monotonic() > deadline:
            raise TooLate(f"waited {within:g} s in vain: {what}")
        time.sleep(_LOOK_EVERY_S)
