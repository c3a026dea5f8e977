"""The proxy crashes while the task runs, and kubelet starts it again."""

import signal

from containers.cells import cell, each_placement
from containers.checks import RATE, SIZE, check_delivered, check_verdict
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Placement
from harness.wait import until


@cell(event="proxy-restarted", mode="watch", form="native", policy="Never")
@each_placement
def test_a_native_proxy_that_is_started_again_loses_nothing(make_pod: MakePod, placement: Placement) -> None:
    check_restarted(make_pod(placement=placement, form="native"))


@cell(event="proxy-restarted", mode="watch", form="classic", policy="OnFailure")
@each_placement
def test_a_classic_proxy_that_is_started_again_loses_nothing(make_pod: MakePod, placement: Placement) -> None:
    check_restarted(make_pod(placement=placement, form="classic", policy="OnFailure"))


def check_restarted(pod: JobPod) -> None:
    upstream = pod.upstream(rate=RATE)
    pod.start(*pod.upload_command(SIZE))
    base = pod.ready()
    proxy = pod.proxy()
    # pilot-agent is killed too: kubelet restarts the container because of its exit code.
    proxy.instance.send(signal.SIGKILL)
    proxy.ending.send(signal.SIGKILL)
    pod.proxy(run=2)
    until("the new proxy is ready", pod.proxy_is_ready, 30)
    base.send_line("go")
    check_delivered(pod, upstream, base)
    check_verdict(pod)
    assert [len(pod.kubelet.runs(name)) for name in ("exeunt", "istio-proxy", "base")] == [1, 2, 1]
