"""The task of these tests, as Airflow's provider sees it."""

import datetime
from types import SimpleNamespace
from typing import Any

from airflow.models.taskinstancekey import TaskInstanceKey

DAG = "example_dag"
RUN = "scheduled__2025-01-01T00:00:00+00:00"


def key(task: str) -> TaskInstanceKey:
    """The key of the first attempt of a task."""
    return TaskInstanceKey(DAG, task, RUN, 1)


def context(operator: Any) -> Any:
    """The part of a task's context that the provider reads."""
    pushed: dict[str, Any] = {}
    instance = SimpleNamespace(
        dag_id=DAG,
        task_id=operator.task_id,
        run_id=RUN,
        try_number=1,
        map_index=-1,
        start_date=datetime.datetime.now(tz=datetime.UTC),
        xcom_push=lambda key, value, **_: pushed.__setitem__(key, value),
        key=key(operator.task_id),
    )
    return {
        "ti": instance,
        "task_instance": instance,
        "run_id": RUN,
        "dag": SimpleNamespace(parent_dag=None, is_subdag=False),
        "pushed": pushed,
    }
