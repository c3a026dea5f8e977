"""Runs one row of the matrix on a real cluster: the real operator in this process, the pod on the cluster.

usage: live.py REQUEST

`./build.sh e2e --airflow` starts it. REQUEST is a JSON file that says which row and column, where, and what the containers do.
What the operator makes of the task goes as JSON to the file that it names, and the log of the task to stdout and stderr.
SIGTERM calls the operator's `on_kill`, as in the process of a task.
"""

import copy
import dataclasses
import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from kubernetes.client import ApiClient, BatchV1Api, CoreV1Api

import conftest  # noqa: F401 - prepares a home folder for Airflow
from exeunt_airflow import hook
from exeunt_airflow.form import NATIVE_PROXY
from exeunt_airflow.settings import Settings
from matrix import PROVIDER, VERSION, table
from pods.process_pod import XCOM_VALUE
from real_airflow.operator_task import TASK_FAILED, build, execute
from scenarios import COLUMNS, ON_CLUSTERS, SCENARIOS

Json = dict[str, Any]

# The operator lists the pods of its new Job three times at once, and fails the task if the controller has made none by then.
_JOB = {"discover_pods_retry_number": 500}
_XCOM_FILE = "/airflow/xcom/return.json"


def main() -> None:
    """Runs the row."""
    request: Json = json.loads(Path(sys.argv[1]).read_text())
    scenario = copy.deepcopy((SCENARIOS | ON_CLUSTERS)[request["row"]])
    use_settings(COLUMNS[request["column"]], request["agent"])
    extra = json.dumps({"xcom_sidecar_container_image": request["task"]["image"]})
    os.environ["AIRFLOW_CONN_KUBERNETES_DEFAULT"] = json.dumps({"conn_type": "kubernetes", "extra": extra})
    default_form("true" if scenario.form == "native" else "false")
    operator = build(scenario, place(request, scenario) | (_JOB if scenario.runner == "job" else {}))
    kills: list[int] = []

    def on_term(number: int, _frame: object) -> None:
        kills.append(number)
        operator.on_kill()

    signal.signal(signal.SIGTERM, on_term)
    result: Json = {"task": "succeeds", "value": None, "failure": ""}
    try:
        result["value"] = execute(operator)
    except Exception as failure:
        # An operator that has deleted its pod may ask for it once more.
        if type(failure).__name__ not in TASK_FAILED and not kills:
            raise
        result |= {"task": "fails", "failure": f"{type(failure).__name__}: {failure}"}
    expected = table().get(request["row"], {}).get(request["column"], "")
    told = {"expected": expected, "airflow": VERSION, "provider": PROVIDER}
    Path(request["result"]).write_text(json.dumps(result | told))


def use_settings(column: Settings, agent: str) -> None:
    """Gives Airflow the settings of a column as a user does, in variables."""
    settings = dataclasses.replace(column, image=agent, image_pull_policy="IfNotPresent")
    for name, default in dataclasses.asdict(Settings()).items():
        value = getattr(settings, name)
        if value != default:
            os.environ[f"AIRFLOW__EXEUNT__{name.upper()}"] = str(value)
    # Airflow has loaded the package, which has read its settings then.
    hook._loaded.cache_clear()


def place(request: Json, scenario: Any) -> Json:
    """The arguments that say where the operator runs its pod, and what runs in there."""
    task, second = request["task"], request["second"]
    command = [*task["command"], "--exit", str(scenario.exit_code)]
    if scenario.options.get("do_xcom_push"):
        command = ["sh", "-c", f"echo '{json.dumps(XCOM_VALUE)}' > {_XCOM_FILE}; exec \"$@\"", "task", *command]
    if "full_pod_spec" in scenario.options:
        for container in scenario.options["full_pod_spec"].spec.containers:
            if container.image:
                fill(container, second)
    return {
        # The operator looks for a pod of its task before it makes one.
        "task_id": request["name"],
        "config_file": request["kubeconfig"],
        "namespace": request["namespace"],
        "labels": request["labels"],
        "volumes": list(map(typed("V1Volume"), request["volumes"])),
        "image": task["image"],
        "image_pull_policy": "IfNotPresent",
        "cmds": command,
        "env_vars": {one["name"]: one["value"] for one in task["env"]},
        "volume_mounts": list(map(typed("V1VolumeMount"), task["volumeMounts"])),
        "container_resources": typed("V1ResourceRequirements")(task["resources"]),
        "container_security_context": typed("V1SecurityContext")(task["securityContext"]),
    }


def fill(container: Any, body: Json) -> None:
    """Gives a container of a row everything but its name."""
    made = typed("V1Container")(body)
    for name in made.openapi_types:
        if name != "name":
            setattr(container, name, getattr(made, name))


def typed(kind: str) -> Any:
    """Makes an object of the Kubernetes client from plain data."""
    return lambda data: ApiClient().deserialize(SimpleNamespace(data=json.dumps(data)), kind)


def default_form(native: str) -> None:
    """Gives each new pod that says nothing of the proxy's form this one.

    That is what Istio makes of it. A cluster has only one such default, and the rows are about both.
    """
    for api, name in ((CoreV1Api, "create_namespaced_pod"), (BatchV1Api, "create_namespaced_job")):
        setattr(api, name, _with_default(getattr(api, name), native))


def _with_default(create: Any, native: str) -> Any:
    def with_default(self: Any, *words: Any, body: Any, **named: Any) -> Any:
        body = self.api_client.sanitize_for_serialization(body)
        pod = body["spec"]["template"] if body["kind"] == "Job" else body
        annotations = pod["metadata"]["annotations"] = pod["metadata"].get("annotations") or {}
        annotations.setdefault(NATIVE_PROXY, native)
        return create(self, *words, body=body, **named)

    return with_default


if __name__ == "__main__":
    main()
