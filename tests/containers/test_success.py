"""The task succeeds while its upload is still in progress."""

import pytest

from containers.cells import cell, each_inner_mode, each_placement
from containers.checks import check_good_end, check_no_restart, start_upload
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Mode, Placement, Policy

forms_and_policies = pytest.mark.parametrize(
    ("form", "policy"), [("classic", "Never"), ("hold", "Never"), ("native", "Never"), ("classic", "OnFailure")]
)


@cell(event="success", mode="watch")
@forms_and_policies
@each_placement
def test_everything_is_delivered_and_the_pod_succeeds(
    make_pod: MakePod, placement: Placement, form: Form, policy: Policy
) -> None:
    check_success(make_pod(placement=placement, form=form, policy=policy))


@cell(event="success", placement="inside")
@forms_and_policies
@each_inner_mode
def test_exec_and_complete_deliver_everything_and_end_the_proxy(
    make_pod: MakePod, mode: Mode, form: Form, policy: Policy
) -> None:
    check_success(make_pod(mode=mode, placement="inside", form=form, policy=policy))


def check_success(pod: JobPod) -> None:
    base, upstream = start_upload(pod)
    check_good_end(pod, upstream, base)


@cell(event="success", mode="watch", form="absent", policy="Never")
@each_placement
def test_in_a_pod_without_a_proxy_the_agent_changes_nothing(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, form="absent")
    check_request(pod)
    assert pod.verdict()["proxy"] == "none"


@cell(event="success", placement="inside", form="absent", policy="Never")
@each_inner_mode
def test_in_a_pod_without_a_proxy_the_command_just_runs(make_pod: MakePod, mode: Mode) -> None:
    check_request(make_pod(mode=mode, placement="inside", form="absent"))


def check_request(pod: JobPod) -> None:
    # Without a proxy, bytes that the task leaves in the kernel are lost with the pod, with or without exeunt. So this task waits
    # for an answer.
    upstream = pod.upstream(mode="http")
    pod.start(*pod.request_command())
    base = pod.ready()
    base.send_line("go")
    assert base.report("answered")["status"] == 200
    assert pod.kubelet.wait() == "Succeeded"
    assert base.exit_code() == 0
    assert upstream.report("request")["bytes"] == 100_000
    check_no_restart(pod)
