"""The task ends very early: before an agent could look, or before the proxy runs."""

import signal

import pytest

from containers import images
from containers.cells import cell, each_form, each_inner_mode, each_placement
from containers.checks import check_idle_success
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Mode, Placement
from harness import messages
from harness.process import is_asleep, name
from harness.wait import until


@cell(event="short", mode="watch", policy="Never")
@each_form
@each_placement
def test_a_task_of_a_few_milliseconds_is_not_missed(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    pod.upstream()
    pod.start("/bin/true")
    check_idle_success(pod)


@cell(event="unseen", mode="watch", form="classic", policy="Never")
@each_placement
def test_a_task_that_runs_while_the_agent_gets_no_cpu_is_over(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement)
    task, proxy = pod.delay_image("base"), pod.delay_image("istio-proxy")
    start_until_agent_has_looked(pod)
    pod.agent().send(signal.SIGSTOP)
    task.set()
    assert pod.kubelet.instance("base").exit_code() == 0
    proxy.set()
    until("the proxy is ready", pod.proxy_is_ready, 30)
    pod.agent().send(signal.SIGCONT)
    # Long before --late-start: that it was started is certain.
    check_idle_success(pod, within=15)
    assert pod.verdict()["ended"] == messages.ENDED_UNSEEN


@cell(event="unseen", mode="watch", placement="regular", policy="Never")
@pytest.mark.parametrize("form", ["hold", "native"])
def test_an_unseen_task_behind_its_proxy_is_over_once_kubelet_does_not_create_it_again(make_pod: MakePod, form: Form) -> None:
    pod = make_pod(placement="regular", form=form)
    task = pod.delay_image("base")
    start_until_agent_has_looked(pod)
    pod.agent().send(signal.SIGSTOP)
    task.set()
    assert pod.kubelet.instance("base").exit_code() == 0
    pod.agent().send(signal.SIGCONT)
    assert not pod.proxy().ending.comes(20), "kubelet repeats a creation that the runtime has refused after 10 to 15 s"
    check_idle_success(pod, within=30)
    assert pod.verdict()["ended"] == messages.ENDED_UNSEEN


@cell(event="late-image", mode="watch", form="classic", policy="Never")
@each_placement
def test_an_agent_that_gets_no_cpu_keeps_the_proxy_of_a_late_task(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, options=["--late-start", "1s"])
    task, proxy = pod.delay_image("base"), pod.delay_image("istio-proxy")
    start_until_agent_has_looked(pod)
    pod.agent().send(signal.SIGSTOP)
    proxy.set()
    until("the proxy is ready", pod.proxy_is_ready, 30)
    pod.agent().send(signal.SIGCONT)
    assert not pod.proxy().ending.comes(5)
    task.set()
    check_idle_success(pod)


def start_until_agent_has_looked(pod: JobPod) -> None:
    """Starts a pod with a task of milliseconds. The agent has seen the init container, and has looked for the task."""
    init = pod.delay_image("istio-init")
    if pod.placement == "native":
        pod.blueprint.add_init("istio-init", "/bin/sleep", "2")
    pod.upstream()
    pod.start("/bin/true")
    agent = pod.agent()
    until("the agent waits", lambda: is_asleep(agent.pid) and name(agent.pid) == "exeunt-agent", 30)
    if pod.placement == "native":
        init.set()
        pod.kubelet.instance("istio-init").exit_code()
    before = agent.wakeups()
    until("the agent looks", lambda: agent.wakeups() > before + 20, 30)


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
