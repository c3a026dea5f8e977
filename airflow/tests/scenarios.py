"""The rows of docs/airflow-matrix.md: what is run, and what must come out of it whatever the table says.

Not every combination is run, which would be some hundreds: each row stands for one branch of Airflow's code.
"""

from typing import Any

from exeunt_airflow import ExeuntCallback
from exeunt_airflow.settings import Settings
from world.runs import Scenario

_KEEP, _DELETE = {"on_finish_action": "keep_pod"}, {"on_finish_action": "delete_pod"}
_XCOM: dict[str, Any] = {"do_xcom_push": True}
_WAITS: dict[str, Any] = {"callbacks": ExeuntCallback}

# The three columns: how pods go out.
COLUMNS = {
    "without exeunt": Settings(enabled=False),
    "agent regular": Settings(placement="regular"),
    "agent native": Settings(placement="native"),
}

SCENARIOS = {
    "KubernetesExecutor": Scenario("executor", "classic"),
    "KubernetesExecutor, exit 3": Scenario("executor", "classic", 3),
    "KubernetesExecutor, native proxy": Scenario("executor", "native"),
    "PodOperator, keep_pod": Scenario("operator", "classic", 0, _KEEP),
    "PodOperator, keep_pod, exit 3": Scenario("operator", "classic", 3, _KEEP),
    "PodOperator, delete_pod": Scenario("operator", "classic", 0, _DELETE),
    "PodOperator, delete_pod, exit 3": Scenario("operator", "classic", 3, _DELETE),
    "PodOperator, delete_pod, ExeuntCallback": Scenario("operator", "classic", 0, _DELETE | _WAITS),
    "PodOperator, delete_pod, XCom, ExeuntCallback": Scenario("operator", "classic", 0, _DELETE | _XCOM | _WAITS),
    "PodOperator, delete_succeeded_pod, exit 3": Scenario("operator", "classic", 3, {"on_finish_action": "delete_succeeded_pod"}),
    "PodOperator, keep_pod, XCom": Scenario("operator", "classic", 0, _KEEP | _XCOM),
    "PodOperator, keep_pod, container_logs=True": Scenario("operator", "classic", 0, _KEEP | {"container_logs": True}),
    "PodOperator, keep_pod, native proxy": Scenario("operator", "native", 0, _KEEP),
    "PodOperator, keep_pod, native proxy, exit 3": Scenario("operator", "native", 3, _KEEP),
    "PodOperator, keep_pod, native proxy, XCom": Scenario("operator", "native", 0, _KEEP | _XCOM),
    "PodOperator, keep_pod, native proxy, init_container_logs=True": Scenario(
        "operator", "native", 0, _KEEP | {"init_container_logs": True}
    ),
    "PodOperator, deferrable, keep_pod": Scenario("deferrable", "classic", 0, _KEEP),
    "PodOperator, deferrable, delete_pod, exit 3": Scenario("deferrable", "classic", 3, _DELETE),
    "PodOperator, deferrable, delete_pod, ExeuntCallback": Scenario("deferrable", "classic", 0, _DELETE | _WAITS),
    "PodOperator, deferrable, keep_pod, XCom": Scenario("deferrable", "classic", 0, _KEEP | _XCOM),
    "PodOperator, deferrable, keep_pod, native proxy": Scenario("deferrable", "native", 0, _KEEP),
    "JobOperator": Scenario("job", "classic"),
    "JobOperator, exit 3": Scenario("job", "classic", 3),
    "JobOperator, XCom": Scenario("job", "classic", 0, _XCOM),
    "JobOperator, native proxy": Scenario("job", "native"),
}

# In the provider of Airflow 2.8 the JobOperator waits for nothing, init containers' logs are not read, callbacks do not reach a
# deferrable operator's end, and pods with XCom go out as they are. Of the rest a few are run.
_OLD = (
    "KubernetesExecutor",
    "KubernetesExecutor, exit 3",
    "PodOperator, keep_pod",
    "PodOperator, keep_pod, exit 3",
    "PodOperator, delete_pod",
    "PodOperator, delete_pod, ExeuntCallback",
    "PodOperator, keep_pod, container_logs=True",
    "PodOperator, keep_pod, native proxy",
    "PodOperator, deferrable, keep_pod",
    "PodOperator, deferrable, delete_pod, exit 3",
)


def of_airflow(version: str) -> dict[str, Scenario]:
    """The rows for the installed version."""
    return {name: SCENARIOS[name] for name in _OLD} if version.startswith("2.") else SCENARIOS
