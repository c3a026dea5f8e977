"""The task ends very early: before an agent could poll, or before the proxy runs."""

from containers import images
from containers.cells import cell, each_form, each_inner_mode, each_placement
from containers.checks import check_idle_success
from containers.conftest import MakePod
from containers.spec import Form, Mode, Placement
from harness import messages


@cell(event="short", mode="watch", policy="Never")
@each_form
@each_placement
def test_a_task_of_a_few_milliseconds_is_not_missed(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    pod.upstream()
    pod.start("/bin/true")
    check_idle_success(pod)


@cell(event="short", placement="inside", policy="Never")
@each_form
@each_inner_mode
def test_a_command_of_a_few_milliseconds_ends_its_proxy(make_pod: MakePod, mode: Mode, form: Form) -> None:
    pod = make_pod(mode=mode, placement="inside", form=form)
    pod.upstream()
    pod.start("/bin/true")
    check_idle_success(pod)


@cell(event="early", mode="watch", form="classic", policy="Never")
@each_placement
def test_a_proxy_that_starts_after_the_end_of_the_task_is_ended(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement)
    image = pod.delay_image("istio-proxy")
    pod.upstream()
    pod.start(*images.task("idle"))
    base = pod.ready(proxied=False)
    base.send_line("go")
    assert base.exit_code() == 0
    pod.await_agent_log(messages.NO_PROXY_YET)
    image.set()
    check_idle_success(pod)
