"""Other containers in the pod: a second main container, and a helper that never ends."""

import signal

import pytest

from containers.cells import both_forms, cell, each_placement
from containers.checks import MB, RATE, SIZE, check_good_end, check_no_restart, check_proxy_ended_by_itself, start_upload
from containers.conftest import MakePod
from containers.instance import Instance
from containers.jobpod import JobPod
from containers.spec import Form, Placement
from harness.wait import until

# The command of Airflow's XCom sidecar (providers/cncf/kubernetes, utils/xcom_sidecar.py).
XCOM = ("/bin/sh", "-c", 'trap "exit 0" INT; while true; do sleep 1; done;')


@cell(event="main-containers", mode="watch", policy="Never")
@both_forms
@each_placement
def test_the_proxy_ends_only_after_both_main_containers(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form, main_containers=["first", "second"])
    upstream = pod.upstream(rate=RATE)
    pod.start(*pod.upload_command(SIZE))
    first, second = pod.ready("first"), pod.ready("second")
    proxy = pod.proxy()
    first.send_line("go")
    assert first.exit_code() == 0
    (delivery,) = upstream.deliveries(1)
    assert proxy.running
    assert pod.transitions() == []
    second.send_line("go 3")
    assert pod.kubelet.wait() == "Failed"
    assert second.exit_code() == 3
    deliveries = upstream.deliveries(2)
    assert [(one.bytes, one.in_order) for one in deliveries] == [(SIZE, True)] * 2
    assert deliveries[0] == delivery
    check_no_restart(pod)
    check_proxy_ended_by_itself(pod)
    verdict = pod.verdict()
    assert verdict["undelivered"]["bytes"] == 0
    if verdict["exitStatus"] == "known":
        # The verdict names the main container that has failed.
        assert (verdict["container"], verdict["exitCode"]) == ("second", 3)


@cell(event="all-regular", mode="watch", form="classic", policy="Never")
@each_placement
def test_without_names_the_proxy_ends_only_after_all_regular_containers(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, main_containers=["first", "second"], tells_names=False)
    upstream = pod.upstream(rate=RATE)
    pod.start(*pod.upload_command(SIZE))
    first, second = pod.ready("first"), pod.ready("second")
    proxy = pod.proxy()
    first.send_line("go")
    assert first.exit_code() == 0
    assert not proxy.ending.comes(2.0)
    second.send_line("go")
    assert pod.kubelet.wait() == "Succeeded"
    assert [(one.bytes, one.in_order) for one in upstream.deliveries(2)] == [(SIZE, True)] * 2
    check_no_restart(pod)
    check_proxy_ended_by_itself(pod)


@cell(event="all-regular", mode="watch", form="classic", policy="Never")
@each_placement
def test_names_that_envoy_tells_after_the_end_of_a_task_come_in_time(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, main_containers=["first", "second"], tells_names=False)
    second, proxy = pod.delay_image("second"), pod.delay_image("istio-proxy")
    pod.upstream()
    pod.start("/bin/true")
    assert pod.kubelet.instance("first").exit_code() == 0
    proxy.set()
    assert not pod.proxy().ending.comes(12.0), "second has not run, and it may need its network"
    assert pod.transitions() == []
    second.set()
    assert pod.kubelet.wait() == "Succeeded"
    check_proxy_ended_by_itself(pod)


@cell(event="helper", mode="watch", policy="Never")
@pytest.mark.parametrize(("placement", "form"), [("native", "classic"), ("regular", "classic"), ("regular", "native")])
def test_a_helper_that_never_ends_is_not_waited_for(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    pod.blueprint.add_helper("airflow-xcom-sidecar", *XCOM)
    base, upstream = start_upload(pod, rate=2 * MB)
    helper = pod.kubelet.instance("airflow-xcom-sidecar")
    pod.await_drain()
    # Airflow sends SIGINT to processes of the pod; the agent ignores it.
    pod.agent().send(signal.SIGINT)
    until("the agent has written its verdict", lambda: pod.agent().message.stat().st_size > 0, 30)
    assert helper.running
    if form == "native":
        assert pod.proxy().running
    else:
        pod.proxy().gone(10)
    if placement == "regular":
        assert pod.agent().exit_code() == 0
    end_helper(pod, helper)
    check_good_end(pod, upstream, base)
    assert helper.exit_code() == 0


@cell(event="helper", mode="watch", placement="native", form="native", policy="Never")
def test_kubelet_tells_the_end_of_the_task_after_that_of_its_helper(make_pod: MakePod) -> None:
    pod = make_pod(form="native")
    pod.blueprint.add_helper("airflow-xcom-sidecar", *XCOM)
    base, upstream = start_upload(pod, rate=2 * MB)
    helper = pod.kubelet.instance("airflow-xcom-sidecar")
    assert base.exit_code() == 0
    # Airflow sends SIGINT to processes of the pod; the agent ignores it.
    pod.agent().send(signal.SIGINT)
    assert not pod.agent().ending.comes(1.0)
    assert pod.proxy().running
    assert pod.transitions() == []
    end_helper(pod, helper)
    check_good_end(pod, upstream, base)
    assert helper.exit_code() == 0


def end_helper(pod: JobPod, helper: Instance) -> None:
    # Airflow ends its helper so, from inside of its container: kill -2 $(pgrep -u $(id -u) -f 'sh').
    for process in pod.processes_seen_by(helper):
        if process.uid == helper.container.user and b"sh" in process.command:
            process.interrupt()
