"""Reading a pod's JSON."""

import json
from typing import Any

import pytest

from cluster import observed

Json = dict[str, Any]


def ended(name: str, at: str, code: int = 0, message: str = "", restarts: int = 0) -> Json:
    end = {"exitCode": code, "finishedAt": f"2026-01-02T03:04:{at}Z", "message": message, "reason": "Completed"}
    return {"name": name, "restartCount": restarts, "state": {"terminated": end}}


def running(name: str) -> Json:
    return {"name": name, "restartCount": 0, "state": {"running": {"startedAt": "2026-01-02T03:04:00Z"}}}


def waiting(name: str, reason: str, message: str = "") -> Json:
    return {"name": name, "restartCount": 0, "state": {"waiting": {"reason": reason, "message": message}}}


def pod(*containers: Json, init: tuple[Json, ...] = (), phase: str = "Running") -> Json:
    spec = {"initContainers": [], "containers": [{"name": one["name"], "image": f"{one['name']}:1"} for one in containers]}
    return {"spec": spec, "status": {"phase": phase, "initContainerStatuses": list(init), "containerStatuses": list(containers)}}


def test_the_verdict_is_the_last_json_line_of_the_agents_message() -> None:
    message = 'a word\n{"version":"0.1.0","proxy":"gone"}\n'
    made = pod(ended("base", "05"), ended("istio-proxy", "06"), init=(ended("exeunt", "07", message=message),))
    assert observed.verdict(made) == {"version": "0.1.0", "proxy": "gone"}


@pytest.mark.parametrize("message", ["", "no json", "{cut", '{"other":1}', "[1]"])
def test_other_messages_are_no_verdict(message: str) -> None:
    assert observed.verdict(pod(ended("exeunt", "07", message=message))) is None


def test_without_a_newer_verdict_that_of_the_earlier_run_counts() -> None:
    status = running("exeunt") | {"lastState": ended("exeunt", "07", message='{"proxy":"left"}')["state"]}
    assert observed.verdict(pod(status)) == {"proxy": "left"}


def test_the_pods_end_is_that_of_its_last_container() -> None:
    made = pod(ended("base", "05"), ended("istio-proxy", "09"), init=(ended("exeunt", "11"), ended("istio-init", "01")))
    assert observed.seconds_after(made, ["base"]) == 6
    both = pod(ended("base", "05"), ended("second", "08"), ended("istio-proxy", "09"))
    assert observed.seconds_after(both, ["base", "second"]) == 1


def test_there_is_no_end_while_a_container_runs() -> None:
    for made in (
        pod(ended("base", "05"), running("istio-proxy")),
        pod(running("base"), ended("istio-proxy", "06")),
        pod(ended("base", "05"), init=(running("exeunt"),)),
    ):
        assert observed.seconds_after(made, ["base"]) is None


def test_a_pod_is_in_an_ambient_mesh_only_if_its_traffic_is_redirected() -> None:
    made = pod(running("base"))
    for annotations, ambient in (({}, False), ({"ambient.istio.io/redirection": "pending"}, False)):
        assert observed.is_ambient(made | {"metadata": {"annotations": annotations}}) is ambient
    assert observed.is_ambient(made | {"metadata": {"annotations": {"ambient.istio.io/redirection": "enabled"}}}) is True
    assert observed.is_ambient(made | {"metadata": {}}) is False


def test_a_container_that_has_ended_has_started() -> None:
    made = pod(running("base"), ended("second", "05"), waiting("third", "ContainerCreating"))
    assert [observed.has_started(made, name) for name in ("base", "second", "third", "fourth")] == [True, True, False, False]


def test_exit_codes_leave_out_plain_init_containers() -> None:
    made = pod(ended("base", "05", code=3), running("istio-proxy"), init=(ended("istio-init", "01"),))
    assert observed.exit_codes(made) == {"base": 3}


@pytest.mark.parametrize("reason", ["ImagePullBackOff", "ErrImageNeverPull", "CreateContainerConfigError"])
def test_a_pod_that_cannot_start_names_container_image_and_reason(reason: str) -> None:
    assert (
        observed.why_it_cannot_start(pod(waiting("base", reason, "not found")))
        == f"container base, image base:1: {reason}: not found"
    )


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", "ErrImagePull", "CrashLoopBackOff"])
def test_a_pod_that_is_still_starting_is_not_given_up(reason: str) -> None:
    assert observed.why_it_cannot_start(pod(waiting("base", reason))) == ""


def test_the_end_of_a_job_is_a_condition_that_is_true() -> None:
    def job(*conditions: tuple[str, str]) -> Json:
        return {"status": {"conditions": [{"type": kind, "status": status} for kind, status in conditions]}}

    assert observed.job_end(job(("SuccessCriteriaMet", "True"), ("Complete", "True"))) == "Complete"
    assert observed.job_end(job(("FailureTarget", "True"), ("Failed", "True"))) == "Failed"
    assert observed.job_end(job(("Complete", "False"))) == ""
    assert observed.job_end({"status": {}}) == ""


def test_the_summary_names_every_container() -> None:
    made = pod(ended("base", "05", code=3), running("istio-proxy"), waiting("late", "ErrImagePull"))
    assert observed.summary(made) == "Running: base terminated Completed3, istio-proxy running, late waiting ErrImagePull"


def test_the_last_json_is_found_among_other_lines() -> None:
    text = json.dumps({"written": 1}) + "\nwarning\n" + json.dumps({"written": 2}) + "\n{broken\n"
    assert observed.last_json(text, "written") == {"written": 2}
