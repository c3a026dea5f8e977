"""Kubelet starts the task again: by the pod's policy, by a rule of the container, alone or with all other containers."""

import pytest

from containers.blueprint import AGAIN
from containers.cells import both_forms, cell, each_placement
from containers.checks import KERNEL_SHOWS_EXIT_STATUS, SIZE, check_no_restart, check_proxy_ended_by_itself, start_upload
from containers.conftest import MakePod
from containers.instance import Instance
from containers.jobpod import JobPod
from containers.spec import Form, Placement, Restarts, Rule
from harness import messages
from harness.pod import TASK_UID
from harness.upstream import Upstream
from harness.wait import until

ALL_AGAIN = 88
each_restart = pytest.mark.parametrize(("policy", "code"), [("OnFailure", 1), ("rules", AGAIN)])


@cell(event="restarts", mode="watch")
@both_forms
@each_placement
@each_restart
def test_a_task_that_fails_twice_keeps_its_proxy_until_it_succeeds(
    make_pod: MakePod, placement: Placement, form: Form, policy: Restarts, code: int
) -> None:
    check_fails_twice(make_pod(placement=placement, form=form, policy=policy, **back_off()), code)


@cell(event="not-told", mode="watch", form="classic")
@each_placement
@each_restart
def test_an_agent_that_was_told_nothing_finds_out_that_kubelet_restarts(
    make_pod: MakePod, placement: Placement, policy: Restarts, code: int
) -> None:
    check_fails_twice(make_pod(placement=placement, policy=policy, tells_restarts=False, **back_off()), code)


@cell(event="restarts", mode="exec", placement="inside")
@both_forms
@each_restart
def test_a_command_that_fails_twice_keeps_its_proxy_until_it_succeeds(
    make_pod: MakePod, form: Form, policy: Restarts, code: int
) -> None:
    pod = make_pod(mode="exec", placement="inside", form=form, policy=policy, back_off_s=1.0)
    _, upstream = fail_twice(pod, code)
    check_success_after_failures(pod, upstream, code, within=45)
    assert len(pod.kubelet.runs("istio-proxy")) == 1
    assert pod.verdict()["exitCode"] == 0


@cell(event="not-told", mode="watch", form="classic", policy="Never")
@each_placement
def test_without_a_policy_a_failed_task_has_ended_after_the_time_of_a_restart(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, tells_restarts=False, options=["--restart-wait", "3s"])
    base, upstream = start_upload(pod, line="go 7")
    assert base.exit_code() == 7
    assert not pod.proxy().ending.comes(2.0)
    assert pod.transitions() == []
    assert pod.kubelet.wait() == "Failed"
    (delivery,) = upstream.deliveries()
    assert (delivery.bytes, delivery.in_order) == (SIZE, True)
    check_no_restart(pod)
    check_proxy_ended_by_itself(pod)


@cell(event="all-again", mode="watch", form="classic", policy="rules")
@each_placement
@pytest.mark.parametrize("told", ["rules", "nothing", "Never"])
def test_after_a_restart_of_all_containers_the_task_has_its_proxy(make_pod: MakePod, placement: Placement, told: str) -> None:
    # An agent that was told a wrong policy drains the proxy at once, and is killed in the middle of that.
    options = ["--restart-policy", "Never"] if told == "Never" else []
    rules = [Rule("RestartAllContainers", (ALL_AGAIN,))]
    pod = make_pod(placement=placement, policy="rules", rules=rules, tells_restarts=told == "rules", options=options)
    base, upstream = start_upload(pod, line=f"go {ALL_AGAIN}")
    assert base.exit_code() == ALL_AGAIN
    second = pod.kubelet.instance("base", run=2)
    second.report("ready", within=30)
    proxy = pod.proxy(2)
    until("the second proxy is ready", pod.proxy_is_ready, 30)
    pod.await_agent_log(messages.watching("base"), run=2)
    assert not proxy.ending.comes(12.0), "longer than the time of a restart"
    assert messages.transitions(proxy.instance.log_text().splitlines()) == []
    second.send_line("go")
    assert pod.kubelet.wait() == "Succeeded"
    assert {name: len(pod.kubelet.runs(name)) for name in pod.names()} == dict.fromkeys(pod.names(), 2)
    assert second.report("written")["bytes"] == SIZE
    # What the first proxy still held when kubelet killed it is lost.
    assert upstream.deliveries(2)[-1].bytes == SIZE
    verdict = pod.verdict()
    assert (verdict["container"], verdict["proxy"], verdict["undelivered"]["bytes"]) == ("base", "gone", 0)


@cell(event="no-exit-status", mode="watch", form="classic", policy="OnFailure")
@each_placement
def test_without_the_exit_status_the_time_of_a_restart_decides(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, policy="OnFailure", kernel_tells=False, options=["--restart-wait", "3s"], back_off_s=1.0)
    base, upstream = start_upload(pod, line="go 1")
    assert base.exit_code() == 1
    second = pod.ready(run=2)
    assert pod.transitions() == []
    second.send_line("go")
    assert second.exit_code() == 0
    # Kubelet's own back-off before the second restart is 10 s.
    assert not pod.proxy().ending.comes(10.0)
    assert pod.kubelet.wait() == "Succeeded"
    assert [(one.bytes, one.in_order) for one in upstream.deliveries(2)] == [(SIZE, True)] * 2
    assert pod.verdict()["exitStatus"] == "unknown"


@cell(event="no-exit-status", mode="watch", form="classic", policy="OnFailure")
@each_placement
def test_an_agent_with_the_uid_of_the_task_can_see_the_exit_status_of_its_zombie(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, policy="OnFailure", kernel_tells=False, agent_user=TASK_UID)
    base, upstream = start_upload(pod)
    how = until("the agent has seen the end", lambda: messages.has_ended(pod.agent().log_text(), "base"))
    assert base.exit_code() == 0
    assert pod.kubelet.wait() == "Succeeded"
    (delivery,) = upstream.deliveries()
    assert (delivery.bytes, delivery.in_order) == (SIZE, True)
    # The runtime may reap the zombie first; then the agent says that it does not know.
    verdict = pod.verdict()
    expected = {"exit code 0": ("known", 0), "exit status unknown": ("unknown", None)}
    assert (verdict["exitStatus"], verdict["exitCode"]) == expected[how]


def back_off() -> dict[str, float]:
    # If the kernel does not show the exit status, the agent goes by kubelet's own back-off times.
    return {"back_off_s": 1.0} if KERNEL_SHOWS_EXIT_STATUS else {}


def check_fails_twice(pod: JobPod, code: int) -> None:
    base, upstream = fail_twice(pod, code)
    base.report("written")
    until("the third upload", lambda: len({report.get("connection") for report in upstream.reports} - {None}) == 3)
    check_success_after_failures(pod, upstream, code, within=90)
    assert [len(pod.kubelet.runs(name)) for name in ("exeunt", "istio-proxy")] == [1, 1]
    verdict = pod.verdict()
    assert verdict["exitCode"] == (0 if verdict["exitStatus"] == "known" else None)


def fail_twice(pod: JobPod, code: int) -> tuple[Instance, Upstream]:
    """Runs a task that uploads and fails twice; returns its third run, which is to succeed."""
    base, upstream = start_upload(pod, line=f"go {code}")
    for run in (2, 3):
        assert base.exit_code() == code
        base = pod.ready(run=run)
        base.send_line("go" if run == 3 else f"go {code}")
    return base, upstream


def check_success_after_failures(pod: JobPod, upstream: Upstream, code: int, within: float) -> None:
    assert pod.kubelet.wait(within) == "Succeeded"
    assert [run.exit_code() for run in pod.kubelet.runs("base")] == [code, code, 0]
    assert [(one.bytes, one.in_order) for one in upstream.deliveries(3)] == [(SIZE, True)] * 3
