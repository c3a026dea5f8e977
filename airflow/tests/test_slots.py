"""The executor's slots: a pod that never ends keeps one forever, and with exeunt every slot becomes free again."""

from pathlib import Path

import pytest

from exeunt_airflow.settings import Settings
from fake_kubernetes.api_server import ApiServer
from matrix import VERSION
from real_airflow.cluster_access import executor_environment
from real_airflow.hook_settings import use_settings
from real_airflow.pauses import shorten_pauses
from real_airflow.slots import SLOTS, run_tasks

pytestmark = pytest.mark.skipif(VERSION.startswith("2."), reason="the executor of Airflow 2 needs its database all the time")

TASKS = 64


@pytest.mark.parametrize(
    ("settings", "succeeded", "slots_taken"),
    [
        (Settings(enabled=False), 0, SLOTS),
        (Settings(proxy="native"), TASKS, 0),
        (Settings(proxy="keep", placement="regular"), TASKS, 0),
    ],
    ids=["without exeunt", "native", "classic"],
)
def test_more_tasks_than_slots(
    settings: Settings, succeeded: int, slots_taken: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ApiServer() as api:
        for name, value in executor_environment(tmp_path, api.url).items():
            monkeypatch.setenv(name, value)
        use_settings(monkeypatch, settings)
        shorten_pauses(monkeypatch)
        assert run_tasks(api, TASKS, within=90) == (succeeded, slots_taken)
