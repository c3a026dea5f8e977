"""A native agent that kubelet runs as a plain init container: the pod would wait for it, and it for the pod."""

import signal
import threading

import pytest

from containers import images
from containers.cells import cell
from containers.checks import check_pod_and_task_succeeded
from containers.conftest import MakePod
from containers.instance import Instance
from containers.jobpod import JobPod
from containers.spec import Form
from harness import messages
from harness.wait import until

each_form = pytest.mark.parametrize("form", ["classic", "native"])
# Longer than the harness needs to start the next container.
BRIEFLY = ["--late-start", "6s"]


@cell(event="stripped", mode="watch", placement="native", policy="Never")
@each_form
def test_an_agent_without_restart_policy_ends_and_the_task_runs(make_pod: MakePod, form: Form) -> None:
    pod = make_pod(form=form, stripped=True, options=BRIEFLY)
    pod.upstream()
    # Without the agent nobody else ends a classic proxy.
    pod.start(*(images.idle_then_post(15020, "/quitquitquit") if form == "classic" else images.task("idle")))
    assert pod.agent().exit_code(20) == 0
    verdict = pod.verdict(run=1)
    assert verdict["proxy"] == "untouched"
    (refused,) = verdict["refused"]
    assert refused["reason"].startswith(messages.NO_OTHER_CONTAINER)
    base = running_task(pod)
    base.send_line("go")
    check_pod_and_task_succeeded(pod, base)
    assert len(pod.kubelet.runs("exeunt")) == 1


@cell(event="late-image", mode="watch", placement="native", policy="Never")
@each_form
def test_a_native_agent_whose_task_is_pulled_for_long_ends_only_once(make_pod: MakePod, form: Form) -> None:
    there = threading.Event()
    # Kubelet starts what is listed behind, so a classic proxy waits here, too.
    late = ("base", "istio-proxy") if form == "classic" else ("base",)
    pod = make_pod(form=form, options=BRIEFLY, pulled=dict.fromkeys(late, there))
    pod.upstream()
    pod.start(*images.task("idle"))
    assert pod.agent().exit_code(20) == 0
    second = pod.agent(run=2)
    assert not second.ending.comes(9.0), "the mark tells it that it is a native sidecar"
    there.set()
    base = running_task(pod)
    base.send_line("go")
    check_pod_and_task_succeeded(pod, base)
    assert len(pod.kubelet.runs("exeunt")) == 2


@cell(event="agent-lost", mode="watch", placement="native", policy="Never")
@each_form
def test_a_native_agent_that_was_killed_knows_at_once_what_it_is(make_pod: MakePod, form: Form) -> None:
    pod = make_pod(form=form, options=BRIEFLY)
    pod.upstream()
    pod.start(*images.task("idle"))
    base = pod.ready()
    pod.agent().send(signal.SIGKILL)
    second = pod.agent(run=2)
    assert not second.ending.comes(9.0), "it does not wait for another container"
    base.send_line("go")
    check_pod_and_task_succeeded(pod, base)
    assert len(pod.kubelet.runs("exeunt")) == 2


def running_task(pod: JobPod) -> Instance:
    """Waits for the task, whatever the first run of the agent has said."""
    base = pod.kubelet.instance("base")
    base.report("ready", within=30)
    # Some of these tasks end their proxy, which must listen then.
    until("the proxy is ready", pod.proxy_is_ready, 30)
    return base
