"""The module that Airflow loads through the entry point group `airflow.policy`: in the scheduler, in every worker and in the CLI.

It reads the settings when it is loaded, so a mistake is logged when Airflow starts and not with the first pod.
"""

from typing import TYPE_CHECKING, Any

from airflow.policies import hookimpl

from exeunt_airflow import default_callback, hook

if TYPE_CHECKING:
    from kubernetes.client import V1Pod


@hookimpl
def pod_mutation_hook(pod: "V1Pod") -> None:
    """Airflow calls this with every pod that it is about to create."""
    hook.pod_mutation_hook(pod)


@hookimpl
def task_policy(task: Any) -> None:
    """Airflow calls this with every task of a DAG that it loads."""
    default_callback.add_callback(task)


hook.settings_or_none()
