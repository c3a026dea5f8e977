"""The task ends its proxy itself, by POST /quitquitquit."""

from containers import images
from containers.cells import cell, each_placement
from containers.checks import check_no_restart, check_pod_and_task_succeeded
from containers.conftest import MakePod
from containers.spec import Placement
from harness.wait import until


@cell(event="own-end", mode="watch", form="classic", policy="Never")
@each_placement
def test_the_agent_accepts_that_the_task_has_ended_its_proxy(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement)
    pod.upstream()
    pod.start(*images.idle_then_post(15020, "/quitquitquit"))
    base = pod.ready()
    proxy = pod.proxy()
    # An agent that has never seen the proxy would wait for one to start.
    until("the agent watches the task and the proxy", lambda: pod.agent().watched_processes() == 2, 30)
    base.send_line("go")
    check_pod_and_task_succeeded(pod, base)
    check_no_restart(pod)
    assert proxy.instance.report("killed")["why"] == "quitquitquit"
    verdict = pod.verdict()
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ("gone", 0)


@cell(event="own-end", mode="watch", form="native", policy="Never")
@each_placement
def test_a_native_proxy_that_its_task_ends_is_left_to_kubelet(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, form="native")
    pod.upstream()
    pod.start(*images.idle_then_post(15020, "/quitquitquit"))
    base = pod.ready()
    proxy = pod.proxy()
    base.send_line("go")
    check_pod_and_task_succeeded(pod, base)
    assert proxy.instance.report("killed")["why"] == "quitquitquit"
    # Kubelet may restart the proxy before the end of the pod or not: it is a matter of milliseconds.
    assert len(pod.kubelet.runs("exeunt")) == len(pod.kubelet.runs("base")) == 1
    verdict = pod.verdict()
    assert verdict["undelivered"]["bytes"] == 0
    assert verdict["advice"] is None
