"""The proxy is not as it should be: it has no filter, it hangs, or it crashes during the drain."""

import signal

from containers.cells import both_forms, cell, each_inner_mode, each_placement
from containers.checks import (
    MB,
    check_delivered,
    check_good_end,
    check_no_restart,
    check_pod_and_task_succeeded,
    check_verdict,
    start_upload,
    without_filter,
)
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Mode, Placement
from harness import messages
from harness.wait import until


@cell(event="no-filter", mode="watch", policy="Never")
@both_forms
@each_placement
def test_without_the_filter_the_agent_decides_by_itself(make_pod: MakePod, placement: Placement, form: Form) -> None:
    check_without_filter(make_pod(placement=placement, form=form))


@cell(event="no-filter", placement="inside", policy="Never")
@both_forms
@each_inner_mode
def test_without_the_filter_a_command_still_ends_its_proxy(make_pod: MakePod, mode: Mode, form: Form) -> None:
    check_without_filter(make_pod(mode=mode, placement="inside", form=form))


@cell(event="hung", mode="watch", policy="Never")
@both_forms
@each_placement
def test_a_proxy_that_hangs_for_a_moment_loses_nothing(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    base, upstream = start_upload(pod, rate=2 * MB)
    pod.await_agent_log(messages.SIGNAL_ACCEPTED)
    proxy = pod.proxy()
    proxy.ending.send(signal.SIGSTOP)
    # The agent polls on: it has no sign that the proxy has ended or has finished.
    before = pod.agent().wakeups()
    until("the agent has polled again", lambda: pod.agent().wakeups() > before)
    proxy.ending.send(signal.SIGCONT)
    check_good_end(pod, upstream, base)


@cell(event="hung", mode="watch", placement="native", form="classic", policy="Never")
def test_a_classic_proxy_that_hangs_for_ever_is_ended_by_pilot_agent(make_pod: MakePod) -> None:
    pod = make_pod(options=["--stall-timeout", "1s", "--drain-timeout", "3s"])
    check_hung(pod)
    assert pod.proxy().instance.report("killed")["why"] == "quitquitquit"
    assert pod.verdict()["proxy"] == "gone"


@cell(event="hung", mode="watch", placement="native", form="native", policy="Never")
def test_a_native_proxy_that_hangs_for_ever_is_left_to_kubelet_in_time(make_pod: MakePod) -> None:
    pod = make_pod(form="native", options=["--stall-timeout", "1s", "--drain-timeout", "3s"])
    check_hung(pod)
    assert pod.proxy().instance.report("killed")["why"] == "SIGTERM"


@cell(event="proxy-lost", mode="watch", policy="Never")
@both_forms
@each_placement
def test_a_pod_whose_proxy_crashes_during_the_drain_ends(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    base, _ = start_upload(pod, rate=MB)
    pod.await_agent_log(messages.SIGNAL_ACCEPTED)
    pod.proxy().ending.send(signal.SIGKILL)
    check_pod_and_task_succeeded(pod, base)
    verdict = pod.verdict()
    assert verdict["proxy"] == "gone"
    # The agent knows that bytes were lost, if not how many.
    assert verdict["undelivered"]["bytes"] > 0


@cell(event="proxy-lost", mode="watch", form="classic", policy="OnFailure")
@each_placement
def test_a_proxy_that_kubelet_restarts_during_the_drain_is_ended_too(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, policy="OnFailure")
    base, _ = start_upload(pod, rate=MB)
    pod.await_agent_log(messages.SIGNAL_ACCEPTED)
    # pilot-agent is killed too: kubelet restarts the container because of its exit code.
    proxy = pod.proxy()
    proxy.instance.send(signal.SIGKILL)
    proxy.ending.send(signal.SIGKILL)
    pod.proxy(run=2)
    assert pod.kubelet.wait(10) == "Succeeded"
    assert base.exit_code() == 0
    assert [run.exit_code() for run in pod.kubelet.runs("istio-proxy")] == [137, 0]


def check_without_filter(pod: JobPod) -> None:
    pod.sidecar.plugin_not_fetched()
    base, upstream = start_upload(pod)
    check_delivered(pod, upstream, base)
    check_no_restart(pod)
    check_verdict(pod, by=(without_filter(pod),))


def check_hung(pod: JobPod) -> None:
    base, _ = start_upload(pod, rate=MB)
    pod.await_drain()
    pod.proxy().ending.send(signal.SIGSTOP)
    check_pod_and_task_succeeded(pod, base)
    check_no_restart(pod)
