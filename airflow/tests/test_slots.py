"""The executor's slots: what a NotReady pod takes for ever, and what comes back with exeunt."""

import time
from pathlib import Path

import pytest

from matrix import VERSION
from world.airflow import kubeconfig, use_settings
from world.api import ApiServer
from world.slots import completed, configure

pytestmark = pytest.mark.skipif(VERSION.startswith("2."), reason="the executor of Airflow 2.8 asks the database at every turn")


@pytest.mark.parametrize(("enabled", "expected"), [(False, (0, 32)), (True, (64, 0))], ids=["without exeunt", "with exeunt"])
def test_sixty_four_tasks_on_thirty_two_slots(
    enabled: bool, expected: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ApiServer() as api:
        for name, value in configure(kubeconfig(tmp_path, api.url), str(tmp_path)).items():
            monkeypatch.setenv(name, value)
        use_settings(monkeypatch, enabled=enabled, placement="regular")
        pause = time.sleep
        monkeypatch.setattr(time, "sleep", lambda seconds: pause(min(seconds, 0.02)))
        assert completed(api, 64, within=90) == expected
