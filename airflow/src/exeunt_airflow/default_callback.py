"""Gives `ExeuntCallback` to the operators of all DAGs, if the setting `add_callback` says so."""

import sys
from typing import Any

from exeunt_airflow.hook import settings_or_none
from exeunt_airflow.log import log

_OPERATORS = "airflow.providers.cncf.kubernetes.operators.pod"
_NAME = "callbacks"


def add_callback(task: Any) -> None:
    """Adds the callback to a KubernetesPodOperator, also to a mapped one. Other tasks, and those that have it, stay unchanged."""
    try:
        settings = settings_or_none()
        # The module is not there if no DAG has imported it.
        if settings is not None and settings.enabled and settings.add_callback and _OPERATORS in sys.modules:
            _add(task, sys.modules[_OPERATORS].KubernetesPodOperator)
    except Exception:  # noqa: BLE001 - an exception here would keep the DAG from loading
        log.warning("exeunt cannot add its callback to task %s", getattr(task, "task_id", "without a name"), exc_info=True)


def _add(task: Any, operator: type[Any]) -> None:
    if isinstance(task, operator):
        task.callbacks = _with_ours(task.callbacks)
    elif isinstance(made := getattr(task, "operator_class", None), type) and issubclass(made, operator):
        task.partial_kwargs[_NAME] = _with_ours(task.partial_kwargs.get(_NAME))


def _with_ours(theirs: Any) -> Any:
    from exeunt_airflow.callback import ExeuntCallback

    if theirs is None:
        return ExeuntCallback
    # Older providers know one callback and no list: the task's own counts. In a mapped operator one stands as the user wrote it.
    if not isinstance(theirs, list):
        return theirs
    kinds = [one if isinstance(one, type) else type(one) for one in theirs]
    return theirs if any(issubclass(kind, ExeuntCallback) for kind in kinds) else [*theirs, ExeuntCallback]
