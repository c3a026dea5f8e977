"""Shortens the pauses of Airflow."""

import asyncio
import time

import pytest

_LONGEST_S = 0.02


def shorten_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow looks at a pod every second or two. Here it looks every 20 ms."""
    sleep, sleep_async = time.sleep, asyncio.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, _LONGEST_S)))
    monkeypatch.setattr(asyncio, "sleep", lambda delay, *more: sleep_async(min(delay, _LONGEST_S), *more))
