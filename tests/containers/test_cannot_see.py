"""Nothing tells the agent the end of the task: it says so, and keeps neither the task nor the pod."""

import pytest

from containers import images
from containers.cells import cell, each_inner_mode, each_placement
from containers.checks import SIZE, check_good_end, check_no_restart, check_pod_and_task_succeeded, start_upload
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Mode, Placement
from harness import messages
from harness.process import is_asleep
from harness.wait import until

# How long an agent may stay that cannot do anything: it asks Envoy for 10 s.
BRIEFLY_S = 12.0
classic_forms = pytest.mark.parametrize("form", ["classic", "hold"])


@cell(event="unshared", mode="watch", placement="native", policy="Never")
@classic_forms
def test_a_native_agent_beside_a_classic_proxy_refuses_and_sleeps(make_pod: MakePod, form: Form) -> None:
    pod = make_pod(form=form, bare=True)
    pod.upstream()
    # Nobody else ends the proxy.
    pod.start(*images.idle_then_post(15020, "/quitquitquit"))
    base = pod.ready()
    proxy = pod.proxy()
    check_refused(pod, messages.MAKE_THE_PROXY_NATIVE)
    agent = pod.agent()
    until("the agent sleeps", lambda: is_asleep(agent.pid))
    before = agent.wakeups()
    assert not agent.ending.comes(2.0)
    assert agent.wakeups() == before
    base.send_line("go")
    check_pod_and_task_succeeded(pod, base)
    check_no_restart(pod)
    assert pod.kubelet.ended_at is not None
    assert pod.kubelet.ended_at - proxy.gone(1) < 5, "the agent leaves at SIGTERM"


@cell(event="unshared", mode="watch", placement="regular", policy="Never")
@classic_forms
def test_a_regular_agent_beside_a_classic_proxy_refuses_and_leaves(make_pod: MakePod, form: Form) -> None:
    pod = make_pod(placement="regular", form=form, bare=True)
    check_leaves(pod, images.idle_then_post(15020, "/quitquitquit"), messages.MAKE_THE_PROXY_NATIVE)


@cell(event="unshared", mode="watch", placement="regular", form="native", policy="Never")
def test_a_regular_agent_beside_a_native_proxy_refuses_and_leaves(make_pod: MakePod) -> None:
    check_leaves(make_pod(placement="regular", form="native", bare=True), images.task("idle"), messages.MAKE_THE_AGENT_NATIVE)


@cell(event="unshared", placement="inside", policy="Never")
@pytest.mark.parametrize("form", ["classic", "native"])
@each_inner_mode
def test_an_agent_in_the_main_container_needs_no_shared_processes(make_pod: MakePod, mode: Mode, form: Form) -> None:
    pod = make_pod(mode=mode, placement="inside", form=form, bare=True)
    base, upstream = start_upload(pod)
    check_good_end(pod, upstream, base, SIZE)


@cell(event="success", mode="watch", form="absent", policy="Never")
@each_placement
def test_an_agent_that_was_told_nothing_keeps_no_pod_without_a_proxy(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, form="absent", bare=True)
    pod.upstream(mode="http")
    pod.start(*pod.request_command())
    base = pod.ready()
    assert pod.agent().exit_code(BRIEFLY_S) == 0
    check_refused(pod, messages.MAKE_THE_PROXY_NATIVE)
    if placement == "native":
        # Kubelet starts it again, and now it knows that it is a native sidecar.
        pod.await_agent_log(messages.STARTED_AGAIN, run=2)
        assert not pod.agent(run=2).ending.comes(BRIEFLY_S)
    base.send_line("go")
    assert base.report("answered")["status"] == 200
    check_pod_and_task_succeeded(pod, base)
    assert [len(pod.kubelet.runs(name)) for name in ("exeunt", "base")] == [2 if placement == "native" else 1, 1]


def check_leaves(pod: JobPod, task: list[str], remedy: str) -> None:
    pod.upstream()
    pod.start(*task)
    base = pod.ready()
    assert pod.agent().exit_code(BRIEFLY_S) == 0
    check_refused(pod, remedy)
    assert pod.proxy().running
    base.send_line("go")
    check_pod_and_task_succeeded(pod, base)
    check_no_restart(pod)


def check_refused(pod: JobPod, remedy: str) -> None:
    """The first run of the agent has done nothing, and has said why and what to do about it."""
    pod.await_agent_log(messages.CANNOT_SEE)
    verdict = pod.verdict(run=1)
    assert verdict["proxy"] == "untouched"
    (refused,) = verdict["refused"]
    for words in (messages.CANNOT_SEE, remedy, messages.SHARE_PROCESSES, messages.WRAP_THE_COMMAND):
        assert words in refused["reason"]
