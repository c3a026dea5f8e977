"""The rows and columns of docs/airflow-matrix.md that run on a cluster. airflow/tests/scenarios.py says what they are.

The rows of KubernetesExecutor are not here: they take a whole scheduler. Nor is the one of an Istio before 1.24.
"""

# The short name of each column.
COLUMNS = {
    "without": "without exeunt",
    "native": "native",
    "agent-native": "classic, agent native",
    "agent-regular": "classic, agent regular",
}
# The short name of each row.
ROWS = {
    "keep": "PodOperator, keep_pod",
    "keep-fails": "PodOperator, keep_pod, exit 3",
    "delete": "PodOperator, delete_pod",
    "delete-fails": "PodOperator, delete_pod, exit 3",
    "delete-callback": "PodOperator, delete_pod, ExeuntCallback",
    "delete-xcom-callback": "PodOperator, delete_pod, XCom, ExeuntCallback",
    "delete-mesh-native": "PodOperator, delete_pod, native proxy",
    "delete-xcom-mesh-native": "PodOperator, delete_pod, native proxy, XCom",
    "delete-succeeded-fails": "PodOperator, delete_succeeded_pod, exit 3",
    "xcom": "PodOperator, keep_pod, XCom",
    "second": "PodOperator, keep_pod, second container",
    "second-worker": "PodOperator, keep_pod, second container, base_container_name",
    "second-mesh-native": "PodOperator, keep_pod, second container, native proxy",
    "container-logs": "PodOperator, keep_pod, container_logs=True",
    "grace-0": "PodOperator, keep_pod, termination_grace_period=0",
    "keep-mesh-native": "PodOperator, keep_pod, native proxy",
    "keep-mesh-native-fails": "PodOperator, keep_pod, native proxy, exit 3",
    "xcom-mesh-native": "PodOperator, keep_pod, native proxy, XCom",
    "init-logs": "PodOperator, keep_pod, native proxy, init_container_logs=True",
    "init-logs-xcom": "PodOperator, keep_pod, native proxy, init_container_logs=True, XCom",
    "deferrable": "PodOperator, deferrable, keep_pod",
    "deferrable-delete-fails": "PodOperator, deferrable, delete_pod, exit 3",
    "deferrable-delete-callback": "PodOperator, deferrable, delete_pod, ExeuntCallback",
    "deferrable-xcom": "PodOperator, deferrable, keep_pod, XCom",
    "deferrable-mesh-native": "PodOperator, deferrable, keep_pod, native proxy",
    "job": "JobOperator",
    "job-fails": "JobOperator, exit 3",
    "job-xcom": "JobOperator, XCom",
    "job-mesh-native": "JobOperator, native proxy",
}
