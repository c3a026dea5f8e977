"""The plugin that Airflow loads through the entry point group `airflow.plugins`: it hears that a scheduler starts."""

import sys
from typing import Any

from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin

from exeunt_airflow import followed_workers
from exeunt_airflow.hook import settings_or_none
from exeunt_airflow.log import log

# The class of the component, and the verb of `airflow` that makes a scheduler of it: it has no type yet when it is announced.
_JOB, _VERB = "Job", "scheduler"


class SchedulerListener:
    """Airflow calls it before the scheduler starts its executor, and with it the process of the watcher."""

    @hookimpl
    def on_starting(self, component: Any) -> None:
        """In a scheduler, which may have KubernetesExecutor: the verdicts of its pods are told in its log."""
        if type(component).__name__ != _JOB or _VERB not in sys.argv:
            return
        try:
            settings = settings_or_none()
            if settings is not None and settings.enabled:
                followed_workers.tell_verdicts()
        except Exception:  # noqa: BLE001 - the scheduler must start anyway
            log.warning("exeunt tells no verdicts in the scheduler's log", exc_info=True)


class ExeuntPlugin(AirflowPlugin):
    """What Airflow shows in `airflow plugins`."""

    name = "exeunt"
    listeners = [SchedulerListener()]  # noqa: RUF012 - the type of the base class
