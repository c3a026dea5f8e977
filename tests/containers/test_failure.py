"""The task fails, and the pod fails with it."""

import signal

from containers.cells import both_forms, cell, each_inner_mode, each_placement
from containers.checks import SIZE, check_good_end, start_upload
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Mode, Placement


@cell(event="failure", mode="watch", policy="Never")
@both_forms
@each_placement
def test_the_code_of_a_failed_task_is_kept_and_its_bytes_are_delivered(
    make_pod: MakePod, placement: Placement, form: Form
) -> None:
    check_failure(make_pod(placement=placement, form=form))


@cell(event="failure", mode="watch", form="classic", policy="rules")
@each_placement
def test_a_code_that_no_rule_names_is_the_end(make_pod: MakePod, placement: Placement) -> None:
    check_failure(make_pod(placement=placement, policy="rules"))


@cell(event="failure", placement="inside", policy="Never")
@both_forms
@each_inner_mode
def test_the_code_of_a_failed_command_is_kept_and_its_bytes_are_delivered(make_pod: MakePod, mode: Mode, form: Form) -> None:
    check_failure(make_pod(mode=mode, placement="inside", form=form))


def check_failure(pod: JobPod) -> None:
    base, upstream = start_upload(pod, line="go 7")
    check_good_end(pod, upstream, base, code=7)


@cell(event="failure", mode="watch", form="classic", policy="Never")
@each_placement
def test_a_killed_task_is_reported_as_killed(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement)
    upstream = pod.upstream()
    pod.start(*pod.upload_command(SIZE))
    base = pod.ready()
    proxy = pod.proxy()
    # The kernel does this when memory runs out.
    base.send(signal.SIGKILL)
    assert pod.kubelet.wait() == "Failed"
    assert base.exit_code() == 137
    assert not proxy.running
    verdict = pod.verdict()
    assert (verdict["exitCode"], verdict["signal"]) == (None, 9 if verdict["exitStatus"] == "known" else None)
    assert upstream.arrived() == 0
