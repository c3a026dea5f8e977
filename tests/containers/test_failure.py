"""The task fails, and the pod fails with it."""

import signal

from containers.cells import both_forms, cell, each_inner_mode, each_placement
from containers.checks import KERNEL_SHOWS_EXIT_STATUS, SIZE, check_good_end, start_upload
from containers.conftest import MakePod
from containers.instance import Instance
from containers.jobpod import JobPod
from containers.spec import Form, Mode, Placement
from harness.upstream import Upstream
from harness.wait import until


@cell(event="failure", mode="watch", policy="Never")
@both_forms
@each_placement
def test_the_code_of_a_failed_task_is_kept_and_its_bytes_are_delivered(
    make_pod: MakePod, placement: Placement, form: Form
) -> None:
    check_failure(make_pod(placement=placement, form=form))


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


@cell(event="restarts", mode="watch", policy="OnFailure")
@both_forms
@each_placement
def test_a_task_that_fails_twice_keeps_its_proxy_until_it_succeeds(make_pod: MakePod, placement: Placement, form: Form) -> None:
    # If the kernel does not show the exit status, the agent goes by kubelet's own back-off times.
    back_off = {"back_off_s": 1.0} if KERNEL_SHOWS_EXIT_STATUS else {}
    pod = make_pod(placement=placement, form=form, policy="OnFailure", **back_off)
    base, upstream = fail_twice(pod)
    base.report("written")
    until("the third upload", lambda: len({report.get("connection") for report in upstream.reports} - {None}) == 3)
    check_success_after_failures(pod, upstream, within=90)
    assert [len(pod.kubelet.runs(name)) for name in ("exeunt", "istio-proxy")] == [1, 1]
    verdict = pod.verdict()
    assert verdict["exitCode"] == (0 if verdict["exitStatus"] == "known" else None)


@cell(event="restarts", mode="exec", placement="inside", policy="OnFailure")
@both_forms
def test_a_command_that_fails_twice_keeps_its_proxy_until_it_succeeds(make_pod: MakePod, form: Form) -> None:
    pod = make_pod(mode="exec", placement="inside", form=form, policy="OnFailure", back_off_s=1.0)
    _, upstream = fail_twice(pod)
    check_success_after_failures(pod, upstream, within=45)
    assert len(pod.kubelet.runs("istio-proxy")) == 1
    assert pod.verdict()["exitCode"] == 0


def fail_twice(pod: JobPod) -> tuple[Instance, Upstream]:
    """Runs a task that uploads and fails twice; returns its third run, which is to succeed."""
    base, upstream = start_upload(pod, line="go 1")
    for run in (2, 3):
        assert base.exit_code() == 1
        base = pod.ready(run=run)
        base.send_line("go" if run == 3 else "go 1")
    return base, upstream


def check_success_after_failures(pod: JobPod, upstream: Upstream, within: float) -> None:
    assert pod.kubelet.wait(within) == "Succeeded"
    assert [run.exit_code() for run in pod.kubelet.runs("base")] == [1, 1, 0]
    assert [(one.bytes, one.in_order) for one in upstream.deliveries(3)] == [(SIZE, True)] * 3
