"""The task succeeds while its upload is still under way."""

import pytest

from containers.cells import cell, each_inner_mode, each_placement
from containers.checks import begun, check_nobody_was_restarted, check_well
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
    pod = make_pod(placement=placement, form=form, policy=policy)
    base, upstream = begun(pod)
    check_well(pod, upstream, base)


@cell(event="success", placement="inside")
@forms_and_policies
@each_inner_mode
def test_without_an_agent_of_its_own_the_main_container_sees_the_proxy_out(
    make_pod: MakePod, mode: Mode, form: Form, policy: Policy
) -> None:
    pod = make_pod(mode=mode, placement="inside", form=form, policy=policy)
    base, upstream = begun(pod)
    check_well(pod, upstream, base)


@cell(event="success", mode="watch", form="absent", policy="Never")
@each_placement
def test_in_a_pod_without_a_proxy_the_agent_is_in_nobodys_way(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, form="absent")
    check_request(pod)
    assert pod.verdict()["proxy"] == "none"


@cell(event="success", placement="inside", form="absent", policy="Never")
@each_inner_mode
def test_in_a_pod_without_a_proxy_the_command_just_runs(make_pod: MakePod, mode: Mode) -> None:
    check_request(make_pod(mode=mode, placement="inside", form="absent"))


def check_request(pod: JobPod) -> None:
    # What a task without a proxy leaves in the kernel when it exits is lost with its pod, exeunt or not: this one waits.
    upstream = pod.upstream(mode="http")
    pod.start(*pod.requests())
    base = pod.ready()
    base.say("go")
    assert base.report("answered")["status"] == 200
    assert pod.kubelet.wait() == "Succeeded"
    assert base.exit_code() == 0
    assert upstream.report("request")["bytes"] == 100_000
    check_nobody_was_restarted(pod)
