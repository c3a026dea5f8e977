"""The proxy is not what it should be."""

import signal

from containers.cells import both_forms, cell, each_inner_mode, each_placement
from containers.checks import MB, begun, check_delivered, check_nobody_was_restarted, check_verdict, check_well
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
def test_without_the_filter_a_command_sees_its_proxy_out_all_the_same(make_pod: MakePod, mode: Mode, form: Form) -> None:
    check_without_filter(make_pod(mode=mode, placement="inside", form=form))


@cell(event="hung", mode="watch", policy="Never")
@both_forms
@each_placement
def test_a_proxy_that_hangs_for_a_moment_loses_nothing(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    base, upstream = begun(pod, rate=2 * MB)
    pod.agent_says(messages.SIGNAL_ACCEPTED)
    proxy = pod.proxy()
    proxy.ending.send(signal.SIGSTOP)
    # The agent goes on looking; nothing tells it that the proxy is gone or done.
    seen = pod.agent().wakes()
    until("the agent has looked again", lambda: pod.agent().wakes() > seen)
    proxy.ending.send(signal.SIGCONT)
    check_well(pod, upstream, base)


@cell(event="hung", mode="watch", placement="native", form="classic", policy="Never")
def test_a_classic_proxy_that_hangs_for_ever_is_ended_by_its_guardian(make_pod: MakePod) -> None:
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
def test_a_proxy_that_crashes_in_the_middle_of_the_drain_leaves_nobody_behind(
    make_pod: MakePod, placement: Placement, form: Form
) -> None:
    pod = make_pod(placement=placement, form=form)
    base, _ = begun(pod, rate=MB)
    pod.agent_says(messages.SIGNAL_ACCEPTED)
    pod.proxy().ending.send(signal.SIGKILL)
    assert pod.kubelet.wait() == "Succeeded"
    assert base.exit_code() == 0
    verdict = pod.verdict()
    assert verdict["proxy"] == "gone"
    # It knows what was lost, or at least that something was.
    assert verdict["undelivered"]["bytes"] > 0


@cell(event="proxy-lost", mode="watch", form="classic", policy="OnFailure")
@each_placement
def test_a_proxy_that_kubelet_starts_again_in_the_middle_of_the_drain_is_ended_too(
    make_pod: MakePod, placement: Placement
) -> None:
    pod = make_pod(placement=placement, policy="OnFailure")
    base, _ = begun(pod, rate=MB)
    pod.agent_says(messages.SIGNAL_ACCEPTED)
    # pilot-agent too: its code is what kubelet goes by.
    proxy = pod.proxy()
    proxy.instance.send(signal.SIGKILL)
    proxy.ending.send(signal.SIGKILL)
    pod.proxy(run=2)
    assert pod.kubelet.wait(10) == "Succeeded"
    assert base.exit_code() == 0
    assert [run.exit_code() for run in pod.kubelet.runs("istio-proxy")] == [137, 0]


def check_without_filter(pod: JobPod) -> None:
    pod.sidecar.plugin_not_fetched()
    base, upstream = begun(pod)
    check_delivered(pod, upstream, base)
    check_nobody_was_restarted(pod)
    check_verdict(pod, by=(messages.BY_ADMIN,))


def check_hung(pod: JobPod) -> None:
    base, _ = begun(pod, rate=MB)
    until("the drain has begun", lambda: len(pod.transitions()) == 1)
    pod.proxy().ending.send(signal.SIGSTOP)
    assert pod.kubelet.wait() == "Succeeded"
    assert base.exit_code() == 0
    check_nobody_was_restarted(pod)
