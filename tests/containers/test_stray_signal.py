"""The agent gets a SIGTERM that is not kubelet's.

If kubelet tells the end of the task, the agent drains and leaves, and kubelet starts it again. Otherwise a SIGTERM is no limit.
"""

import signal

import pytest

from containers import images
from containers.cells import cell, each_placement
from containers.checks import MB, RATE, SIZE, check_delivered, check_no_restart, check_verdict, without_filter
from containers.conftest import MakePod
from containers.spec import Placement
from harness import messages
from harness.wait import until

stray = cell(event="stray", mode="watch", placement="native", form="native", policy="Never")
stray_beside_classic = cell(event="stray", mode="watch", form="classic", policy="Never")


@stray
@pytest.mark.parametrize("fetched", [True, False], ids=["filter", "no-filter"])
def test_after_a_stray_sigterm_the_true_one_is_served_like_the_first(make_pod: MakePod, *, fetched: bool) -> None:
    pod = make_pod(form="native")
    if not fetched:
        pod.sidecar.plugin_not_fetched()
    upstream = pod.upstream(rate=RATE)
    pod.start(*pod.upload_command(SIZE))
    base = pod.ready()
    pod.proxy()
    first = pod.agent()
    first.send(signal.SIGTERM)
    assert first.exit_code() == 0
    pod.await_agent_log(messages.WAITS_FOR_KUBELET, run=2)
    assert base.running
    base.send_line("go")
    check_delivered(pod, upstream, base)
    route = messages.BY_FILTER if fetched else without_filter(pod)
    assert messages.kind_of(first.termination_message()["route"]) == route
    check_verdict(pod, by=(route,))
    assert {name: len(pod.kubelet.runs(name)) for name in pod.names()} == {"istio-proxy": 1, "exeunt": 2, "base": 1}


@stray
@pytest.mark.parametrize("fetched", [True, False], ids=["filter", "no-filter"])
def test_a_stray_sigterm_during_an_upload_takes_no_time_from_the_true_one(make_pod: MakePod, *, fetched: bool) -> None:
    # The agent drains for 6 s of these, and the upload takes 8 s.
    pod = make_pod(form="native", grace_period_s=8)
    if not fetched:
        pod.sidecar.plugin_not_fetched()
    size = 8 * MB
    upstream = pod.upstream(rate=MB)
    # A task that runs on for a while after its upload.
    pod.start(*images.before_script("read line", pod.upload_command(size)))
    base = pod.ready()
    pod.proxy()
    base.send_line("go")
    until("the upload has begun", lambda: upstream.arrived() > 0)
    agent = pod.agent()
    agent.send(signal.SIGTERM)
    base.report("written", within=30)
    until("half of the upload has arrived", lambda: upstream.arrived() > size / 2, 30)
    assert agent.running
    base.send_line("end")
    check_delivered(pod, upstream, base, size)
    check_no_restart(pod)
    check_verdict(pod, by=(messages.BY_FILTER if fetched else without_filter(pod),))


@stray_beside_classic
@each_placement
@pytest.mark.parametrize("fetched", [True, False], ids=["filter", "no-filter"])
def test_a_sigterm_that_the_pod_outlives_costs_no_byte_and_keeps_no_pod(
    make_pod: MakePod, placement: Placement, *, fetched: bool
) -> None:
    # The grace period of each signal ends long before the delivery: the upload takes 8 s.
    pod = make_pod(placement=placement, grace_period_s=3)
    if not fetched:
        pod.sidecar.plugin_not_fetched()
    size = 8 * MB
    upstream = pod.upstream(rate=MB)
    pod.start(*pod.upload_command(size))
    base = pod.ready()
    pod.proxy()
    agent = pod.agent()
    agent.send(signal.SIGTERM)
    base.send_line("go")
    base.report("written", within=30)
    until("the task has ended", lambda: not base.running)
    agent.send(signal.SIGTERM)
    until("half of the upload has arrived", lambda: upstream.arrived() > size / 2, 30)
    check_delivered(pod, upstream, base, size)
    verdict = agent.termination_message()
    assert (verdict["proxy"], verdict["undelivered"]["bytes"], verdict["limit"]) == ("gone", 0, None)
    assert messages.kind_of(verdict["route"]) == (messages.BY_FILTER if fetched else without_filter(pod))
    # A native sidecar waits for one SIGTERM after its work. It has had one, so it leaves, and kubelet may start it again before
    # the pod has ended.
    assert [len(pod.kubelet.runs(name)) for name in ("istio-proxy", "base")] == [1, 1]
    assert len(pod.kubelet.runs("exeunt")) <= (2 if placement == "native" else 1)
