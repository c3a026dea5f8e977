"""The task fails, and that is the pod's verdict."""

import signal

from containers.cells import both_forms, cell, each_inner_mode, each_placement
from containers.checks import KERNEL_TELLS, SIZE, begun, check_well
from containers.conftest import MakePod
from containers.spec import Form, Mode, Placement
from harness.wait import until


@cell(event="failure", mode="watch", policy="Never")
@both_forms
@each_placement
def test_a_failed_tasks_code_is_kept_and_its_bytes_are_delivered(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    base, upstream = begun(pod, word="go 7")
    check_well(pod, upstream, base, code=7)


@cell(event="failure", placement="inside", policy="Never")
@both_forms
@each_inner_mode
def test_a_failed_commands_code_is_kept_and_its_bytes_are_delivered(make_pod: MakePod, mode: Mode, form: Form) -> None:
    pod = make_pod(mode=mode, placement="inside", form=form)
    base, upstream = begun(pod, word="go 7")
    check_well(pod, upstream, base, code=7)


@cell(event="failure", mode="watch", form="classic", policy="Never")
@each_placement
def test_a_task_that_was_killed_is_reported_as_killed(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement)
    upstream = pod.upstream()
    pod.start(*pod.uploads(SIZE))
    base = pod.ready()
    proxy = pod.proxy()
    # As the kernel does it when memory runs out.
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
def test_a_task_that_fails_twice_keeps_its_proxy_until_it_has_succeeded(
    make_pod: MakePod, placement: Placement, form: Form
) -> None:
    # A kernel that does not tell the exit status leaves only kubelet's own times to go by.
    pod = make_pod(placement=placement, form=form, policy="OnFailure", **({"back_off_s": 1.0} if KERNEL_TELLS else {}))
    base, upstream = begun(pod, word="go 1")
    for run in (2, 3):
        assert base.exit_code() == 1
        base = pod.ready(run=run)
        base.say("go" if run == 3 else "go 1")
    base.report("written")
    until("the third upload", lambda: len({report.get("connection") for report in upstream.reports} - {None}) == 3)
    assert pod.kubelet.wait(90) == "Succeeded"
    assert [run.exit_code() for run in pod.kubelet.runs("base")] == [1, 1, 0]
    assert [(one.bytes, one.in_order) for one in upstream.deliveries(3)] == [(SIZE, True)] * 3
    assert [len(pod.kubelet.runs(name)) for name in ("exeunt", "istio-proxy")] == [1, 1]
    verdict = pod.verdict()
    assert verdict["exitCode"] == (0 if verdict["exitStatus"] == "known" else None)


@cell(event="restarts", mode="exec", placement="inside", policy="OnFailure")
@both_forms
def test_a_command_that_fails_twice_keeps_its_proxy_until_it_has_succeeded(make_pod: MakePod, form: Form) -> None:
    pod = make_pod(mode="exec", placement="inside", form=form, policy="OnFailure", back_off_s=1.0)
    base, upstream = begun(pod, word="go 1")
    for run in (2, 3):
        assert base.exit_code() == 1
        base = pod.ready(run=run)
        base.say("go" if run == 3 else "go 1")
    assert pod.kubelet.wait() == "Succeeded"
    assert [run.exit_code() for run in pod.kubelet.runs("base")] == [1, 1, 0]
    assert [(one.bytes, one.in_order) for one in upstream.deliveries(3)] == [(SIZE, True)] * 3
    assert len(pod.kubelet.runs("istio-proxy")) == 1
    assert pod.verdict()["exitCode"] == 0
