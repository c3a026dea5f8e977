"""The agent is killed, as the kernel kills a process when memory runs out."""

import signal

import pytest

from containers.cells import cell, each_form
from containers.checks import (
    MB,
    SIZE,
    check_delivered,
    check_early_verdict,
    check_no_restart,
    check_proxy_ended_by_itself,
    check_verdict,
    start_upload,
)
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Placement, Policy
from harness import messages

# The pods in which kubelet restarts the agent.
restarted = pytest.mark.parametrize(("placement", "policy"), [("native", "Never"), ("regular", "OnFailure")])


@cell(event="agent-lost", mode="watch")
@each_form
@restarted
def test_an_agent_that_is_killed_while_the_task_runs_finds_it_again(
    make_pod: MakePod, placement: Placement, policy: Policy, form: Form
) -> None:
    pod = make_pod(placement=placement, policy=policy, form=form)
    upstream = pod.upstream(rate=4 * MB)
    pod.start(*pod.upload_command(SIZE))
    base = pod.ready()
    pod.proxy()
    pod.agent().send(signal.SIGKILL)
    pod.await_agent_log(messages.WAITS_FOR_KUBELET if pod.kubelet_tells else messages.watching("base"), run=2)
    base.send_line("go")
    check_delivered(pod, upstream, base)
    check_verdict(pod)
    check_only_the_agent_restarted(pod)


@cell(event="agent-lost-draining", mode="watch", form="classic")
@restarted
def test_an_agent_that_is_killed_during_the_drain_continues_it(make_pod: MakePod, placement: Placement, policy: Policy) -> None:
    check_continues(make_pod(placement=placement, policy=policy))


@cell(event="agent-lost-draining", mode="watch", form="native", placement="regular", policy="OnFailure")
def test_a_regular_agent_beside_a_native_proxy_continues_too(make_pod: MakePod) -> None:
    check_continues(make_pod(placement="regular", policy="OnFailure", form="native"))


@cell(event="agent-lost-draining", mode="watch", form="native", placement="native", policy="Never")
def test_an_agent_that_is_killed_while_the_pod_ends_has_reported_what_is_lost(make_pod: MakePod) -> None:
    # Kubelet starts nothing again in a pod that ends: it ends the proxy next.
    pod = make_pod(form="native")
    base, upstream = start_upload(pod, rate=MB)
    check_early_verdict(pod.agent().early_verdict())
    pod.agent().send(signal.SIGKILL)
    assert pod.kubelet.wait() == "Succeeded"
    assert (base.exit_code(), pod.agent().exit_code()) == (0, 137)
    check_early_verdict(pod.agent().termination_message())
    check_no_restart(pod)
    assert not upstream.ending.comes(10 * upstream.unread_s)
    assert upstream.arrived() < SIZE


@cell(event="agent-lost-draining", mode="watch", placement="regular", form="classic", policy="Never")
def test_the_filter_finishes_a_drain_alone(make_pod: MakePod) -> None:
    pod = make_pod(placement="regular")
    check_filter_alone(pod, rate=2 * MB)
    # Kubelet does not restart the agent, and a pod with a killed container has failed. But it has ended and has lost nothing.
    assert (pod.kubelet.runs("base")[0].exit_code(), pod.agent().exit_code()) == (0, 137)


@cell(event="agent-lost-draining", mode="exec", placement="inside", form="classic", policy="Never")
def test_the_filter_finishes_the_drain_of_exec_alone(make_pod: MakePod) -> None:
    pod = make_pod(mode="exec", placement="inside")
    check_filter_alone(pod, rate=2 * MB)
    assert pod.kubelet.runs("base")[0].exit_code() == 137


def test_the_filter_alone_waits_as_long_as_bytes_move(make_pod: MakePod) -> None:
    check_filter_alone(make_pod(placement="regular"), rate=MB)


def check_filter_alone(pod: JobPod, rate: int) -> None:
    # After this time 1 MB/s has not delivered all of 4 MB, and 2 MB/s has.
    pod.sidecar.plugin_config["stallTimeout"] = "3s"
    _, upstream = start_upload(pod, rate=rate)
    pod.await_drain()
    (pod.agent() if pod.mode == "watch" else pod.kubelet.runs("base")[0]).send(signal.SIGKILL)
    assert pod.kubelet.wait() == "Failed"
    check_proxy_ended_by_itself(pod)
    (delivery,) = upstream.deliveries(within=5)
    assert (delivery.bytes, delivery.in_order) == (SIZE, True)


def check_continues(pod: JobPod) -> None:
    base, upstream = start_upload(pod, rate=2 * MB)
    pod.await_drain()
    pod.agent().send(signal.SIGKILL)
    assert pod.agent().exit_code() == 137
    check_delivered(pod, upstream, base)
    check_verdict(pod)
    check_only_the_agent_restarted(pod)


def check_only_the_agent_restarted(pod: JobPod) -> None:
    assert {name: len(pod.kubelet.runs(name)) for name in pod.names()} == {
        name: 2 if name == "exeunt" else 1 for name in pod.names()
    }
