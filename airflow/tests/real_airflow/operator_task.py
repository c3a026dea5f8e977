"""The operator of a scenario, and its run as Airflow runs it. The test world and a real cluster have the same one."""

import asyncio
from typing import Any

from airflow.exceptions import TaskDeferred
from airflow.providers.cncf.kubernetes.operators.job import KubernetesJobOperator
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from .scenario import Scenario
from .task import context

# How an operator reports that its task has failed.
TASK_FAILED = ("AirflowException", "PodNotFoundException", "DataWasLost")


def build(scenario: Scenario, place: dict[str, Any]) -> Any:
    """The operator, with the arguments of its scenario and those that say where and what it runs."""
    arguments = {"in_cluster": False} | place | scenario.options
    if scenario.runner == "job":
        job = {"name": "t", "parallelism": 1, "backoff_limit": 0, "wait_until_job_complete": True}
        return KubernetesJobOperator(**job, **arguments)
    return KubernetesPodOperator(**arguments, deferrable=scenario.runner == "deferrable")


def execute(operator: Any, trigger_poll_s: float | None = None) -> Any:
    """Calls the operator. If it defers, waits for the trigger and resumes it, as the triggerer and the next worker do."""
    task_context = context(operator)
    try:
        return operator.execute(task_context)
    except TaskDeferred as exception:
        deferred = exception
    # The next worker knows nothing of that exception.
    event = asyncio.run(_first_event(deferred.trigger, trigger_poll_s))
    method = getattr(operator, deferred.method_name)
    return method(context=task_context, event=event, **(deferred.kwargs or {}))


async def _first_event(trigger: Any, poll_s: float | None) -> Any:
    if poll_s is not None and hasattr(trigger, "poll_interval"):
        trigger.poll_interval = poll_s
    async for event in trigger.run():
        return event.payload
    raise AssertionError("the trigger ended without an event")
