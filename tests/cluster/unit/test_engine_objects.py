"""The workflows and the task runs that the scenarios make of the samples."""

import json
from typing import Any

import pytest

from cluster.engines import argo, samples, tekton
from cluster.shape import LABEL, Where

Json = dict[str, Any]

WHERE = Where("task:1", "agent:1", "10.0.0.1:9000")


def workflow() -> Json:
    return argo.workflow("x", [argo.step("x", ("--exit", "3"), WHERE)], WHERE)


def test_a_workflow_is_the_sample_with_the_images_of_the_run() -> None:
    body = workflow()
    (agent,) = body["spec"]["templateDefaults"]["initContainers"]
    assert (agent["name"], agent["image"], agent["restartPolicy"]) == ("exeunt", "agent:1", "Always")
    assert body["spec"]["podMetadata"] == samples.sample(argo.SAMPLE)["spec"]["podMetadata"]
    assert body["metadata"]["name"] == "x"
    (template,) = body["spec"]["templates"]
    assert body["spec"]["entrypoint"] == template["name"]
    assert template["metadata"]["labels"] == {LABEL: "x"}
    assert template["container"]["image"] == "task:1"
    assert template["container"]["command"][-2:] == ["--exit", "3"]


def test_without_exeunt_nothing_of_it_is_left() -> None:
    body = argo.without_exeunt(workflow(), native=False)
    run = tekton.without_exeunt(tekton.run("x", (), WHERE), native=True)
    for text in (json.dumps(one).replace(LABEL, "") for one in (body, run)):
        assert "exeunt" not in text
        assert "15190" not in text
    assert body["spec"]["podMetadata"]["annotations"] == {samples.FORM: "false"}
    assert run["metadata"]["annotations"] == {samples.FORM: "true"}


def test_a_graph_has_a_first_and_a_last_task_and_all_pods_differ() -> None:
    top, one = argo.graph("x", 10, (), WHERE)
    tasks = {task["name"]: task["dependencies"] for task in top["dag"]["tasks"]}
    between = [f"task-{number}" for number in range(1, 9)]
    assert tasks == {"task-0": [], "task-9": between} | {name: ["task-0"] for name in between}
    body = argo.workflow("x", [top, one], WHERE)
    assert body["spec"]["templates"][1]["metadata"]["labels"] == {LABEL: "x-{{inputs.parameters.number}}"}


def test_only_a_control_shares_processes() -> None:
    assert "shareProcessNamespace" not in json.dumps(workflow())
    assert json.loads(argo.with_shared_processes(workflow())["spec"]["podSpecPatch"]) == {"shareProcessNamespace": True}


@pytest.mark.parametrize("native", [True, False], ids=["native", "classic"])
def test_a_task_run_is_the_sample_with_the_images_of_the_run(native: bool) -> None:
    run = tekton.run("x", ("--exit", "3"), WHERE, native=native, results=("words",))
    spec = run["spec"]["taskSpec"]
    assert run["metadata"]["annotations"][samples.FORM] == ("true" if native else "false")
    assert run["metadata"]["labels"][LABEL] == "x"
    assert f"step-{spec['steps'][0]['name']}" == tekton.STEP
    (agent,) = spec["sidecars"] if native else spec["steps"][1:]
    assert (agent["name"], agent["image"]) == ("exeunt", "agent:1")
    assert spec["results"] == [{"name": "words"}]


@pytest.mark.parametrize(("status", "phase"), [("True", "Succeeded"), ("False", "Failed"), ("Unknown", "")])
def test_the_end_of_a_task_run(status: str, phase: str) -> None:
    condition = {"type": "Succeeded", "status": status, "message": "why"}
    body = {"status": {"conditions": [condition], "results": [{"name": "words", "value": "12 MB"}]}}
    assert (tekton.phase(body), tekton.message(body), tekton.result(body, "words")) == (phase, "why", "12 MB")
    assert (tekton.phase({}), tekton.message({}), tekton.result(body, "others")) == ("", "", "")


@pytest.mark.parametrize(("said", "phase"), [("Running", ""), ("Pending", ""), ("Error", "Error"), ("Succeeded", "Succeeded")])
def test_the_end_of_a_workflow(said: str, phase: str) -> None:
    assert argo.phase({"status": {"phase": said}}) == phase
    assert argo.phase({}) == ""
