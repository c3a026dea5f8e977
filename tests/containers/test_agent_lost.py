"""The agent is killed: as the kernel does it where memory runs out."""

import signal

import pytest

from containers.cells import cell, each_form
from containers.checks import MB, SIZE, begun, check_delivered, check_proxys_own_end, check_verdict
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Placement, Policy
from harness import messages
from harness.wait import until

# Where kubelet starts it again.
restarted = pytest.mark.parametrize(("placement", "policy"), [("native", "Never"), ("regular", "OnFailure")])


@cell(event="agent-lost", mode="watch")
@each_form
@restarted
def test_an_agent_that_is_killed_while_the_task_runs_finds_it_again(
    make_pod: MakePod, placement: Placement, policy: Policy, form: Form
) -> None:
    pod = make_pod(placement=placement, policy=policy, form=form)
    upstream = pod.upstream(rate=4 * MB)
    pod.start(*pod.uploads(SIZE))
    base = pod.ready()
    pod.proxy()
    pod.agent().send(signal.SIGKILL)
    pod.agent_says(messages.watching("base"), run=2)
    base.say("go")
    check_delivered(pod, upstream, base)
    check_verdict(pod)
    check_restarts(pod)


@cell(event="agent-lost-draining", mode="watch", form="classic")
@restarted
def test_an_agent_that_is_killed_in_the_middle_of_the_drain_goes_on(
    make_pod: MakePod, placement: Placement, policy: Policy
) -> None:
    check_goes_on(make_pod(placement=placement, policy=policy))


@cell(event="agent-lost-draining", mode="watch", form="native", placement="regular", policy="OnFailure")
def test_a_regular_agent_beside_a_native_proxy_goes_on_too(make_pod: MakePod) -> None:
    check_goes_on(make_pod(placement="regular", policy="OnFailure", form="native"))


@cell(event="agent-lost-draining", mode="watch", placement="regular", form="classic", policy="Never")
def test_the_filter_finishes_a_drain_by_itself(make_pod: MakePod) -> None:
    pod = make_pod(placement="regular")
    check_filter_alone(pod, rate=2 * MB)
    # Nobody starts it again, and a pod with a killed container has failed; but it has ended, and lost nothing.
    assert (pod.kubelet.runs("base")[0].exit_code(), pod.agent().exit_code()) == (0, 137)


@cell(event="agent-lost-draining", mode="exec", placement="inside", form="classic", policy="Never")
def test_the_filter_finishes_a_wrappers_drain_by_itself(make_pod: MakePod) -> None:
    pod = make_pod(mode="exec", placement="inside")
    check_filter_alone(pod, rate=2 * MB)
    assert pod.kubelet.runs("base")[0].exit_code() == 137


def test_the_filter_alone_goes_on_as_long_as_bytes_move(make_pod: MakePod) -> None:
    check_filter_alone(make_pod(placement="regular"), rate=MB)


def check_filter_alone(pod: JobPod, rate: int) -> None:
    # Of 4 MB at 1 MB/s something is left after this time, at 2 MB/s nothing.
    pod.sidecar.plugin_config["stallTimeout"] = "3s"
    _, upstream = begun(pod, rate=rate)
    until("the drain has begun", lambda: len(pod.transitions()) == 1)
    (pod.agent() if pod.mode == "watch" else pod.kubelet.runs("base")[0]).send(signal.SIGKILL)
    assert pod.kubelet.wait() == "Failed"
    check_proxys_own_end(pod)
    (delivery,) = upstream.deliveries(within=5)
    assert (delivery.bytes, delivery.in_order) == (SIZE, True)


def check_goes_on(pod: JobPod) -> None:
    base, upstream = begun(pod, rate=2 * MB)
    until("the drain has begun", lambda: len(pod.transitions()) == 1)
    pod.agent().send(signal.SIGKILL)
    assert pod.agent().exit_code() == 137
    check_delivered(pod, upstream, base)
    check_verdict(pod)
    check_restarts(pod)


def check_restarts(pod: JobPod) -> None:
    assert {name: len(pod.kubelet.runs(name)) for name in pod.names()} == {
        name: 2 if name == "exeunt" else 1 for name in pod.names()
    }
