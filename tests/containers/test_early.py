"""The task ends early: before anybody has looked, or before the proxy is there. Or its image comes late."""

import threading

from containers.cells import cell, each_form, each_inner_mode, each_placement
from containers.checks import RATE, SIZE, check_nobody_was_restarted, check_proxys_own_end, check_verdict, check_well
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Mode, Placement
from harness import messages
from harness.wait import until


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
def test_a_proxy_that_starts_after_the_tasks_end_is_ended(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement)
    pulled = pod.pulled["istio-proxy"] = threading.Event()
    pod.upstream()
    pod.start(*pod.idles())
    base = pod.ready(proxied=False)
    base.say("go")
    assert base.exit_code() == 0
    pod.agent_says(messages.NO_PROXY_YET)
    pulled.set()
    check_idle_success(pod)


@cell(event="late-image", mode="watch", policy="Never")
@each_form
@each_placement
def test_a_main_container_whose_image_is_slow_keeps_its_proxy(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    pulled = pod.pulled["base"] = threading.Event()
    upstream = pod.upstream(rate=RATE)
    pod.start(*pod.uploads(SIZE))
    proxy = pod.proxy()
    until("the proxy is ready", pod.proxy_is_ready, 30)
    # It looks a hundred times a second.
    seen = pod.agent().wakes()
    until("the agent has looked for its main container many times", lambda: pod.agent().wakes() > seen + 150, 30)
    assert proxy.running
    assert pod.transitions() == []
    pulled.set()
    base = pod.ready()
    base.say("go")
    check_well(pod, upstream, base)


@cell(event="late-agent", mode="watch", placement="regular", form="classic", policy="Never")
def test_an_agent_that_comes_after_the_tasks_end_ends_the_proxy_on_evidence(make_pod: MakePod) -> None:
    pod = make_pod(placement="regular", options=["--late-start", "1s"])
    over_before_its_agent(pod)
    check_idle_success(pod)
    assert pod.verdict()["ended"] == messages.ended_because_listed_after("istio-proxy")


@cell(event="late-agent", mode="watch", placement="regular", form="hold", policy="Never")
def test_without_evidence_an_agent_that_comes_late_ends_no_proxy_and_says_why(make_pod: MakePod) -> None:
    pod = make_pod(placement="regular", form="hold", options=["--late-start", "1s"])
    over_before_its_agent(pod)
    pod.agent_says(messages.KEEPS_WAITING_WITHOUT_EVIDENCE)
    assert pod.proxy().running
    assert pod.transitions() == []


def over_before_its_agent(pod: JobPod) -> None:
    """Starts a pod whose task has ended when its agent is started."""
    pulled = pod.pulled["exeunt"] = threading.Event()
    pod.upstream()
    pod.start(*pod.idles())
    base = pod.kubelet.instance("base")
    base.report("ready", within=30)
    until("the proxy is ready", pod.proxy_is_ready, 30)
    base.say("go")
    assert base.exit_code() == 0
    pulled.set()


def check_idle_success(pod: JobPod) -> None:
    assert pod.kubelet.wait() == "Succeeded"
    check_nobody_was_restarted(pod)
    check_proxys_own_end(pod)
    # Where Envoy has only just started, its admin interface may be there before the filter.
    check_verdict(pod, by=(messages.BY_FILTER, messages.BY_ADMIN))
