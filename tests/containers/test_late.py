"""A slow image: the main container or the agent starts late."""

import pytest

from containers import images
from containers.cells import cell, each_form, each_placement
from containers.checks import RATE, SIZE, check_good_end
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Placement
from harness import messages
from harness.process import is_asleep
from harness.wait import until


@cell(event="late-image", mode="watch", policy="Never")
@each_form
@each_placement
def test_a_main_container_with_a_slow_image_keeps_its_proxy(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    image = pod.delay_image("base")
    upstream = pod.upstream(rate=RATE)
    pod.start(*pod.upload_command(SIZE))
    proxy = pod.proxy()
    until("the proxy is ready", pod.proxy_is_ready, 30)
    agent = pod.agent()
    if pod.kubelet_tells:
        # It still waits for another container, which shows that it is a native sidecar.
        pod.await_agent_log(messages.BY_ENVOY)
        until("the agent sleeps", lambda: is_asleep(agent.pid))
        before = agent.wakeups()
        assert not proxy.ending.comes(1.5)
        assert agent.wakeups() == before
    else:
        # For a while after each creation the agent looks for the main container a hundred times per second.
        before = agent.wakeups()
        until("the agent has looked for the main container many times", lambda: agent.wakeups() > before + 150, 30)
    assert proxy.running
    assert pod.transitions() == []
    image.set()
    base = pod.ready()
    base.send_line("go")
    check_good_end(pod, upstream, base)


@cell(event="late-agent", mode="watch", placement="regular", policy="Never")
@pytest.mark.parametrize("form", ["classic", "hold"])
def test_without_evidence_a_late_agent_ends_no_proxy_and_logs_why(make_pod: MakePod, form: Form) -> None:
    pod = make_pod(placement="regular", form=form, options=["--late-start", "1s"])
    end_task_before_agent(pod)
    pod.await_agent_log(messages.KEEPS_WAITING_WITHOUT_EVIDENCE)
    assert pod.proxy().running
    assert pod.transitions() == []


def end_task_before_agent(pod: JobPod) -> None:
    """Starts a pod whose task ends before the agent starts."""
    image = pod.delay_image("exeunt")
    pod.upstream()
    pod.start(*images.task("idle"))
    base = pod.kubelet.instance("base")
    base.report("ready", within=30)
    until("the proxy is ready", pod.proxy_is_ready, 30)
    base.send_line("go")
    assert base.exit_code() == 0
    image.set()
