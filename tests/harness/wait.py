"""Waits for a condition, with a deadline. Nothing here sleeps for a fixed time."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# Short compared with every measured time (milliseconds), and long enough to leave the processor to the programs under test.
_POLL_S = 0.002


class TooLate(AssertionError):
    """A condition did not become true in time."""


def until(what: str, condition: Callable[[], T | None], within: float = 10.0) -> T:
    """Returns the first value of `condition` that is neither `None` nor `False`; raises `TooLate` after `within` seconds.

    `what` is a clause that says what the caller waits for, as "the agent watches its task".
    """
    deadline = time.monotonic() + within
    while True:
        value = condition()
        if value is not None and value is not False:
            return value
        if time.monotonic() > deadline:
            raise TooLate(f"this was not true after {within:g} s: {what}")
        time.sleep(_POLL_S)
