"""The DAG of the measurement: independent tasks. Airflow's DAG processor reads this file; nothing in it runs in a pod."""

import datetime
import os

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

TASKS = int(os.environ["EXEUNT_SLOTS_TASKS"])

with DAG(
    "slots",
    schedule=None,
    start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    max_active_tasks=TASKS,
) as dag:
    for number in range(TASKS):
        BashOperator(task_id=f"task_{number:02}", bash_command="true")
