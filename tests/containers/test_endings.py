"""Other ways for a pod to come to its end, and other containers in it."""

import signal

import pytest

from containers.cells import both_forms, cell, each_placement
from containers.checks import (
    MB,
    RATE,
    SIZE,
    begun,
    check_delivered,
    check_nobody_was_restarted,
    check_proxys_own_end,
    check_well,
)
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Placement
from harness import messages
from harness.wait import until

# As Airflow's XCom sidecar runs it (providers/cncf/kubernetes, utils/xcom_sidecar.py).
XCOM = ("/bin/sh", "-c", 'trap "exit 0" INT; while true; do sleep 1; done;')


@cell(event="mains", mode="watch", policy="Never")
@both_forms
@each_placement
def test_of_two_main_containers_both_must_end(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form, mains=["first", "second"])
    upstream = pod.upstream(rate=RATE)
    pod.start(*pod.uploads(SIZE))
    first, second = pod.ready("first"), pod.ready("second")
    proxy = pod.proxy()
    first.say("go")
    assert first.exit_code() == 0
    (delivery,) = upstream.deliveries(1)
    assert proxy.running
    assert pod.transitions() == []
    second.say("go 3")
    assert pod.kubelet.wait() == "Failed"
    assert second.exit_code() == 3
    deliveries = upstream.deliveries(2)
    assert [(one.bytes, one.in_order) for one in deliveries] == [(SIZE, True)] * 2
    assert deliveries[0] == delivery
    check_nobody_was_restarted(pod)
    check_proxys_own_end(pod)
    verdict = pod.verdict()
    assert verdict["undelivered"]["bytes"] == 0
    if verdict["exitStatus"] == "known":
        # The one that failed speaks for both.
        assert (verdict["container"], verdict["exitCode"]) == ("second", 3)


@cell(event="deleted", mode="watch", policy="Never")
@both_forms
@each_placement
def test_a_pod_that_is_deleted_lets_its_task_finish_and_loses_nothing(
    make_pod: MakePod, placement: Placement, form: Form
) -> None:
    pod = make_pod(placement=placement, form=form)
    upstream = pod.upstream(rate=2 * MB)
    # A task that takes its time to shut down: what it has done is to be uploaded yet.
    pod.start(*pod.spawns("trap '' TERM", pod.uploads(SIZE)))
    base = pod.ready()
    pod.proxy()
    pod.kubelet.delete()
    until("SIGTERM has come", lambda: base.was_sent(signal.SIGTERM))
    base.say("go")
    check_delivered(pod, upstream, base)
    assert pod.verdict()["undelivered"]["bytes"] == 0


@cell(event="short-grace", mode="watch", placement="native", form="native", policy="Never")
@pytest.mark.parametrize("fetched", [True, False], ids=["filter", "no-filter"])
def test_when_kubelets_grace_is_over_the_agent_has_told_what_was_cut_off(make_pod: MakePod, *, fetched: bool) -> None:
    pod = make_pod(form="native", grace_period_s=4)
    if not fetched:
        pod.sidecar.plugin_not_fetched()
    base, _ = begun(pod, rate=MB // 4)
    assert pod.kubelet.wait() == "Succeeded"
    assert base.exit_code() == 0
    check_last_word(pod, "left")


@cell(event="short-grace", mode="watch", form="classic", policy="Never")
@each_placement
def test_when_a_deleted_pods_grace_is_over_the_agent_has_told_what_was_cut_off(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, grace_period_s=4)
    base, _ = begun(pod, rate=MB // 4)
    pod.agent_says(messages.SIGNAL_ACCEPTED)
    pod.kubelet.delete()
    pod.kubelet.wait()
    assert base.exit_code() == 0
    if placement == "regular":
        check_last_word(pod, "stays")
    else:
        # Its turn comes when the proxy has been killed, at the grace period's end: two seconds, of which it cannot know.
        verdict = pod.agent().termination_message()
        assert verdict["proxy"] == "gone"
        assert verdict["undelivered"]["bytes"] > 0


@cell(event="deleted", mode="exec", placement="inside", policy="Never")
@both_forms
def test_a_deleted_pods_command_finishes_and_loses_nothing(make_pod: MakePod, form: Form) -> None:
    pod = make_pod(mode="exec", placement="inside", form=form)
    upstream = pod.upstream(rate=2 * MB)
    pod.start(*pod.spawns("trap '' TERM", pod.uploads(SIZE)))
    base = pod.ready()
    pod.proxy()
    pod.kubelet.delete()
    until("SIGTERM has come", lambda: base.was_sent(signal.SIGTERM))
    base.say("go")
    check_delivered(pod, upstream, base)


@cell(event="helper", mode="watch", policy="Never")
@both_forms
@each_placement
def test_a_helper_that_never_ends_is_not_waited_for(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    pod.helper("airflow-xcom-sidecar", *XCOM)
    base, upstream = begun(pod, rate=2 * MB)
    helper = pod.kubelet.instance("airflow-xcom-sidecar")
    until("the drain has begun", lambda: len(pod.transitions()) == 1)
    # No signal of the helper's is the agent's business.
    pod.agent().send(signal.SIGINT)
    until("everything is seen out", lambda: pod.agent().message.stat().st_size > 0, 30)
    assert helper.running
    if form == "native":
        assert pod.proxy().running
    else:
        pod.proxy().gone(10)
    if placement == "regular":
        assert pod.agent().exit_code() == 0
    # As Airflow ends it, pod-wide: kill -2 $(pgrep -u $(id -u) -f 'sh').
    for process in pod.processes():
        if process.uid == helper.container.user and b"sh" in process.command:
            process.interrupt()
    check_well(pod, upstream, base)
    assert helper.exit_code() == 0


@cell(event="no-state-dir", mode="watch", form="classic", policy="Never")
@each_placement
def test_without_its_folder_the_agent_says_what_that_costs_and_does_its_work(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, state_dir=False)
    base, upstream = begun(pod)
    check_well(pod, upstream, base)
    assert messages.NO_STATE_DIR in pod.agent().said()


@cell(event="no-status", mode="watch", form="classic", policy="Never")
@each_placement
def test_without_the_injectors_word_a_classic_proxy_is_ended(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, status=False)
    base, upstream = begun(pod)
    assert messages.STATUS_NOT_GIVEN in check_well(pod, upstream, base)["decided"]


@cell(event="no-status", mode="watch", form="native", policy="Never")
@each_placement
def test_without_the_injectors_word_a_native_proxy_loses_nothing(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, form="native", status=False)
    base, upstream = begun(pod)
    assert pod.kubelet.wait() == "Succeeded"
    assert base.exit_code() == 0
    (delivery,) = upstream.deliveries()
    assert (delivery.bytes, delivery.in_order) == (SIZE, True)
    assert messages.STATUS_NOT_GIVEN in pod.verdict()["decided"]


@cell(event="own-end", mode="watch", form="classic", policy="Never")
@each_placement
def test_a_task_that_ends_its_proxy_itself_is_left_in_peace(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement)
    pod.upstream()
    pod.start(*pod.posts_and_idles(15020, "/quitquitquit"))
    base = pod.ready()
    proxy = pod.proxy()
    # An agent that has never seen the proxy would wait for one to come.
    until("the agent has met its proxy", lambda: pod.agent().watches() == 2, 30)
    base.say("go")
    assert pod.kubelet.wait() == "Succeeded"
    assert base.exit_code() == 0
    check_nobody_was_restarted(pod)
    assert proxy.instance.report("killed")["why"] == "quitquitquit"
    verdict = pod.verdict()
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ("gone", 0)


@cell(event="own-end", mode="watch", form="native", policy="Never")
@each_placement
def test_a_native_proxy_that_its_task_ends_is_kubelets_business(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, form="native")
    pod.upstream()
    pod.start(*pod.posts_and_idles(15020, "/quitquitquit"))
    base = pod.ready()
    proxy = pod.proxy()
    base.say("go")
    assert pod.kubelet.wait() == "Succeeded"
    assert base.exit_code() == 0
    assert proxy.instance.report("killed")["why"] == "quitquitquit"
    # Whether it is started again before the pod's end is a matter of milliseconds.
    assert len(pod.kubelet.runs("exeunt")) == len(pod.kubelet.runs("base")) == 1
    assert pod.verdict()["undelivered"]["bytes"] == 0


def check_last_word(pod: JobPod, proxy: str) -> None:
    """The agent was not killed, and its verdict knows of the rest."""
    (agent,) = pod.kubelet.runs("exeunt")
    assert agent.exit_code() == 0
    verdict = pod.verdict()
    assert verdict["proxy"] == proxy
    assert verdict["undelivered"]["bytes"] > 0
