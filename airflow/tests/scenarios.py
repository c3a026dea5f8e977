"""The rows and columns of docs/airflow-matrix.md.

There are hundreds of combinations. Each row stands for one branch in Airflow's code.
"""

from typing import Any

from kubernetes.client import V1Container, V1Pod, V1PodSpec

from exeunt_airflow import ExeuntCallback
from exeunt_airflow.settings import Settings
from real_airflow.scenario import Scenario

_KEEP, _DELETE = {"on_finish_action": "keep_pod"}, {"on_finish_action": "delete_pod"}
_XCOM: dict[str, Any] = {"do_xcom_push": True}
# A second container uploads after base has ended.
_SECOND: dict[str, Any] = {
    "full_pod_spec": V1Pod(spec=V1PodSpec(containers=[V1Container(name="base"), V1Container(name="second", image="task")]))
}
# The same, where the task has another name.
_WORKER: dict[str, Any] = {
    "base_container_name": "worker",
    "full_pod_spec": V1Pod(spec=V1PodSpec(containers=[V1Container(name="worker"), V1Container(name="second", image="task")])),
}
_CALLBACK: dict[str, Any] = {"callbacks": ExeuntCallback}

# What the hook does with the pod.
COLUMNS = {
    "without exeunt": Settings(enabled=False),
    "native": Settings(proxy="native"),
    "classic, agent native": Settings(proxy="keep", placement="native"),
    "classic, agent regular": Settings(proxy="keep", placement="regular"),
}

SCENARIOS = {
    "KubernetesExecutor": Scenario("executor", "classic"),
    "KubernetesExecutor, exit 3": Scenario("executor", "classic", 3),
    "KubernetesExecutor, native proxy": Scenario("executor", "native"),
    "KubernetesExecutor, Istio before 1.24": Scenario("executor", "old"),
    "PodOperator, keep_pod": Scenario("operator", "classic", 0, _KEEP),
    "PodOperator, keep_pod, exit 3": Scenario("operator", "classic", 3, _KEEP),
    "PodOperator, delete_pod": Scenario("operator", "classic", 0, _DELETE),
    "PodOperator, delete_pod, exit 3": Scenario("operator", "classic", 3, _DELETE),
    "PodOperator, delete_pod, ExeuntCallback": Scenario("operator", "classic", 0, _DELETE | _CALLBACK),
    "PodOperator, delete_pod, XCom, ExeuntCallback": Scenario("operator", "classic", 0, _DELETE | _XCOM | _CALLBACK),
    "PodOperator, delete_pod, native proxy": Scenario("operator", "native", 0, _DELETE),
    "PodOperator, delete_pod, native proxy, XCom": Scenario("operator", "native", 0, _DELETE | _XCOM, slow=True),
    "PodOperator, delete_succeeded_pod, exit 3": Scenario("operator", "classic", 3, {"on_finish_action": "delete_succeeded_pod"}),
    "PodOperator, keep_pod, XCom": Scenario("operator", "classic", 0, _KEEP | _XCOM),
    "PodOperator, keep_pod, second container": Scenario("operator", "classic", 0, _KEEP | _SECOND),
    "PodOperator, keep_pod, second container, base_container_name": Scenario("operator", "classic", 0, _KEEP | _WORKER),
    "PodOperator, keep_pod, second container, native proxy": Scenario("operator", "native", 0, _KEEP | _SECOND),
    "PodOperator, keep_pod, container_logs=True": Scenario("operator", "classic", 0, _KEEP | {"container_logs": True}),
    "PodOperator, keep_pod, termination_grace_period=0": Scenario(
        "operator", "classic", 0, _KEEP | {"termination_grace_period": 0}
    ),
    "PodOperator, keep_pod, native proxy": Scenario("operator", "native", 0, _KEEP),
    "PodOperator, keep_pod, native proxy, exit 3": Scenario("operator", "native", 3, _KEEP),
    "PodOperator, keep_pod, native proxy, XCom": Scenario("operator", "native", 0, _KEEP | _XCOM),
    "PodOperator, keep_pod, native proxy, init_container_logs=True": Scenario(
        "operator", "native", 0, _KEEP | {"init_container_logs": True}
    ),
    "PodOperator, keep_pod, native proxy, init_container_logs=True, XCom": Scenario(
        "operator", "native", 0, _KEEP | _XCOM | {"init_container_logs": True}
    ),
    "PodOperator, deferrable, keep_pod": Scenario("deferrable", "classic", 0, _KEEP),
    "PodOperator, deferrable, delete_pod, exit 3": Scenario("deferrable", "classic", 3, _DELETE, slow=True),
    "PodOperator, deferrable, delete_pod, ExeuntCallback": Scenario("deferrable", "classic", 0, _DELETE | _CALLBACK),
    "PodOperator, deferrable, keep_pod, XCom": Scenario("deferrable", "classic", 0, _KEEP | _XCOM),
    "PodOperator, deferrable, keep_pod, native proxy": Scenario("deferrable", "native", 0, _KEEP),
    "JobOperator": Scenario("job", "classic"),
    "JobOperator, exit 3": Scenario("job", "classic", 3),
    "JobOperator, XCom": Scenario("job", "classic", 0, _XCOM),
    "JobOperator, native proxy": Scenario("job", "native"),
}

# What only a real kubelet can show: how much of a slow upload arrives, and how a task ends that somebody kills.
_HURRY, _SHORT = {"termination_grace_period": 1}, {"termination_grace_period": 5}
ON_CLUSTERS = {
    "PodOperator, on_kill": Scenario("operator", "classic", 0, _DELETE),
    "PodOperator, delete_pod, termination_grace_period=1": Scenario("operator", "classic", 0, _DELETE | _HURRY),
    "PodOperator, delete_pod, termination_grace_period=1, ExeuntCallback": Scenario(
        "operator", "classic", 0, _DELETE | _HURRY | _CALLBACK
    ),
    "PodOperator, keep_pod, native proxy, termination_grace_period=5, ExeuntCallback": Scenario(
        "operator", "native", 0, _KEEP | _SHORT | _CALLBACK
    ),
}

# In the provider of Airflow 2.8 the JobOperator does not wait, the logs of init containers are not read, and a deferrable
# operator does not call callbacks at its end. Pods with XCom that share processes get no agent. Other pods with XCom cannot run
# here: that provider ends the helper with `kill -s SIGINT 1`, which Alpine's shell understands, but Debian's does not. These are
# some of the other rows.
_ROWS_OF_OLD_PROVIDERS = (
    "KubernetesExecutor",
    "KubernetesExecutor, exit 3",
    "PodOperator, keep_pod",
    "PodOperator, keep_pod, exit 3",
    "PodOperator, delete_pod",
    "PodOperator, delete_pod, ExeuntCallback",
    "PodOperator, keep_pod, second container",
    "PodOperator, keep_pod, second container, base_container_name",
    "PodOperator, keep_pod, container_logs=True",
    "PodOperator, keep_pod, native proxy",
    "PodOperator, deferrable, keep_pod",
    "PodOperator, deferrable, delete_pod, exit 3",
)


def rows_for(*, old_provider: bool) -> dict[str, Scenario]:
    """The rows for the provider of Airflow 2.8, or for a newer one."""
    return {name: SCENARIOS[name] for name in _ROWS_OF_OLD_PROVIDERS} if old_provider else SCENARIOS
