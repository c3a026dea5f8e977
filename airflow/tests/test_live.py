"""What the program of `./build.sh e2e --airflow` makes of a row. The same rows run in the test world (test_matrix.py)."""

import copy
import os
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes.client import CoreV1Api

import live
from cluster import pods
from cluster.airflow import delivery, rows, scenarios
from cluster.shape import Shape, Task, Where
from exeunt_airflow import hook
from exeunt_airflow.form import NATIVE_PROXY
from scenarios import COLUMNS, ON_CLUSTERS, SCENARIOS

WHERE = Where("task:1", "agent:1", "10.0.0.1:9000")


def request_for() -> dict[str, Any]:
    """A request as the cluster's side makes it."""
    first, second = (pods.task_container("x", Task(("wait",), name=name), Shape(), WHERE) for name in ("base", "second"))
    place = {"name": "x", "kubeconfig": "k", "namespace": "n", "labels": {"a": "b"}}
    return place | {"task": first, "second": second, "volumes": [{"name": "scratch", "emptyDir": {}}]}


def test_every_row_of_an_operator_runs_on_a_cluster_too() -> None:
    here = {name for name, scenario in SCENARIOS.items() if scenario.runner != "executor"}
    assert set(rows.ROWS.values()) == here
    assert list(rows.COLUMNS.values()) == list(COLUMNS)


def test_every_other_scenario_is_known() -> None:
    titles = {one.title for one in delivery.UPLOADS} | {scenarios.KILLED}
    assert titles <= set(SCENARIOS | ON_CLUSTERS)
    assert set(ON_CLUSTERS) <= titles


def test_the_exit_code_and_the_value_are_those_of_the_row() -> None:
    row = copy.deepcopy(SCENARIOS["PodOperator, keep_pod, exit 3"])
    assert live.place(request_for(), row)["cmds"][-2:] == ["--exit", "3"]
    command = live.place(request_for(), copy.deepcopy(SCENARIOS["JobOperator, XCom"]))["cmds"]
    assert command[:2] == ["sh", "-c"]
    assert '{"rows": 42}' in command[2]


def test_the_second_container_is_filled_and_the_first_keeps_the_operators() -> None:
    row = copy.deepcopy(SCENARIOS["PodOperator, keep_pod, second container, base_container_name"])
    live.place(request_for(), row)
    worker, second = row.options["full_pod_spec"].spec.containers
    assert (worker.name, worker.image, second.name, second.image) == ("worker", None, "second", "task:1")
    assert second.env[0].value == "x-second"


@pytest.mark.parametrize("own", [None, "true"])
def test_a_pod_that_says_nothing_of_the_form_gets_that_of_the_row(monkeypatch: pytest.MonkeyPatch, own: str | None) -> None:
    bodies: list[Any] = []
    monkeypatch.setattr(CoreV1Api, "create_namespaced_pod", lambda *_, body: bodies.append(body))
    monkeypatch.setattr("kubernetes.client.BatchV1Api.create_namespaced_job", lambda *_, **__: None)
    live.default_form("false")
    metadata = {"annotations": {NATIVE_PROXY: own} if own else None}
    CoreV1Api().create_namespaced_pod("n", body={"kind": "Pod", "metadata": metadata, "spec": {}})
    assert bodies[0]["metadata"]["annotations"] == {NATIVE_PROXY: own or "false"}


def test_the_settings_of_a_column_reach_the_hook_by_airflows_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    seen: dict[str, str] = {}
    monkeypatch.setattr(live.os, "environ", seen)
    monkeypatch.setattr(live, "hook", SimpleNamespace(_loaded=hook._loaded))
    live.use_settings(COLUMNS["classic, agent regular"], "agent:1")
    section = "AIRFLOW__EXEUNT__"
    assert seen == {
        f"{section}IMAGE": "agent:1",
        f"{section}IMAGE_PULL_POLICY": "IfNotPresent",
        f"{section}PROXY": "keep",
        f"{section}PLACEMENT": "regular",
    }
