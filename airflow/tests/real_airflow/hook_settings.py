"""Gives the hook that Airflow has loaded other settings."""

import pytest

from exeunt_airflow import hook
from exeunt_airflow.settings import Settings


def use_settings(monkeypatch: pytest.MonkeyPatch, settings: Settings | None) -> None:
    """The hook uses these settings until the end of the test. `None`: as if there were mistakes in them."""
    monkeypatch.setattr(hook, "settings_or_none", lambda: settings)
