"""The setting `add_callback`: Airflow gives each task of a DAG to the policy of this package, with the real operators."""

from pathlib import Path
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.callbacks import KubernetesPodOperatorCallback
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from airflow import settings as airflow_settings
from exeunt_airflow import ExeuntCallback, default_callback
from exeunt_airflow.settings import Settings
from matrix import OLD_PROVIDER

try:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:
    from airflow.models.dagbag import DagBag
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization

ON = Settings(add_callback=True)
DAG_FILE = """
import datetime

from airflow import DAG
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

with DAG("d", start_date=datetime.datetime(2026, 1, 1), schedule=None):
    KubernetesPodOperator(task_id="plain", image="task")
    KubernetesPodOperator.partial(task_id="mapped", image="task").expand(name=["a", "b"])
"""


class Theirs(KubernetesPodOperatorCallback):
    """A callback of the user."""


class Strict(ExeuntCallback):
    """One that is derived from ours."""


def use(monkeypatch: pytest.MonkeyPatch, settings: Settings | None) -> None:
    """The policy uses these settings."""
    monkeypatch.setattr(default_callback, "settings_or_none", lambda: settings)


def operator(**options: Any) -> Any:
    """A task, after Airflow has given it to the policy."""
    task = KubernetesPodOperator(task_id="t", image="task", **options)
    airflow_settings.task_policy(task)
    return task


def as_list(callbacks: Any) -> list[Any]:
    """The callbacks as newer providers hold them."""
    return callbacks if isinstance(callbacks, list) else [callbacks] if callbacks else []


def test_every_operator_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ON)
    assert as_list(operator().callbacks) == [ExeuntCallback]


@pytest.mark.parametrize(
    "settings", [None, Settings(), Settings(enabled=False, add_callback=True)], ids=["mistakes", "default", "off"]
)
def test_without_the_setting_no_task_changes(settings: Settings | None, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, settings)
    assert as_list(operator().callbacks) == []


@pytest.mark.parametrize("own", [ExeuntCallback, Strict], ids=["ours", "derived"])
def test_it_is_added_once(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ON)
    assert as_list(operator(callbacks=own).callbacks) == [own]


def test_the_tasks_own_callback_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ON)
    # The provider of Airflow 2.8 has one callback, and no list.
    assert as_list(operator(callbacks=Theirs).callbacks) == ([Theirs] if OLD_PROVIDER else [Theirs, ExeuntCallback])


def test_a_mapped_operator_gets_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ON)
    mapped = KubernetesPodOperator.partial(task_id="t", image="task").expand(name=["a", "b"])
    airflow_settings.task_policy(mapped)
    assert as_list(mapped.partial_kwargs["callbacks"]) == [ExeuntCallback]
    airflow_settings.task_policy(mapped)
    assert as_list(mapped.partial_kwargs["callbacks"]) == [ExeuntCallback]


def test_a_task_that_is_something_else_stays(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    use(monkeypatch, ON)
    task = object()
    airflow_settings.task_policy(task)
    assert caplog.messages == []


def test_airflow_gives_it_the_tasks_of_a_dag_file_and_can_store_the_dag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, ON)
    (tmp_path / "dag.py").write_text(DAG_FILE)
    bag = DagBag(tmp_path)
    assert bag.import_errors == {}
    dag = bag.dags["d"]
    assert as_list(dag.get_task("plain").callbacks) == [ExeuntCallback]
    assert as_list(dag.get_task("mapped").partial_kwargs["callbacks"]) == [ExeuntCallback]
    assert sorted(DagSerialization.from_dict(DagSerialization.to_dict(dag)).task_ids) == ["mapped", "plain"]
