"""The pod is deleted, or kubelet's grace period ends before everything is delivered."""

import signal

import pytest

from containers import images
from containers.cells import both_forms, cell, each_placement
from containers.checks import MB, SIZE, check_delivered, check_early_verdict, check_pod_and_task_succeeded, start_upload
from containers.conftest import MakePod
from containers.jobpod import JobPod
from containers.spec import Form, Placement
from harness import messages
from harness.wait import until


@cell(event="deleted", mode="watch", policy="Never")
@both_forms
@each_placement
def test_a_deleted_pod_lets_its_task_finish_and_loses_nothing(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    check_upload_after_deletion(pod)
    assert pod.verdict()["undelivered"]["bytes"] == 0


@cell(event="deleted", mode="exec", placement="inside", policy="Never")
@both_forms
def test_the_command_of_a_deleted_pod_finishes_and_loses_nothing(make_pod: MakePod, form: Form) -> None:
    check_upload_after_deletion(make_pod(mode="exec", placement="inside", form=form))


def check_upload_after_deletion(pod: JobPod) -> None:
    upstream = pod.upstream(rate=2 * MB)
    # A task that ignores SIGTERM and uploads its result after it.
    pod.start(*images.after_script("trap '' TERM", pod.upload_command(SIZE)))
    base = pod.ready()
    pod.proxy()
    pod.kubelet.delete()
    until("the task was sent SIGTERM", lambda: base.was_sent(signal.SIGTERM))
    base.send_line("go")
    check_delivered(pod, upstream, base)


@cell(event="short-grace", mode="watch", placement="native", form="native", policy="Never")
@pytest.mark.parametrize("fetched", [True, False], ids=["filter", "no-filter"])
def test_before_the_grace_period_ends_the_agent_reports_what_is_lost(make_pod: MakePod, *, fetched: bool) -> None:
    pod = make_pod(form="native", grace_period_s=4)
    if not fetched:
        pod.sidecar.plugin_not_fetched()
    base, _ = start_upload(pod, rate=MB // 4)
    check_pod_and_task_succeeded(pod, base)
    check_loss_reported(pod, "left")


@cell(event="short-grace", mode="watch", placement="native", form="native", policy="Never")
@pytest.mark.parametrize("fetched", [True, False], ids=["filter", "no-filter"])
def test_an_agent_that_is_killed_early_has_reported_what_is_lost(make_pod: MakePod, *, fetched: bool) -> None:
    # The agent counts on Kubernetes' 30 s.
    pod = make_pod(form="native", grace_period_s=4, tells_grace_period=False)
    if not fetched:
        pod.sidecar.plugin_not_fetched()
    base, _ = start_upload(pod, rate=MB // 4)
    check_early_verdict(pod.agent().early_verdict())
    check_pod_and_task_succeeded(pod, base)
    assert pod.agent().exit_code() == 137
    verdict = pod.agent().termination_message()
    # Kubelet ends the proxy at the moment at which it kills the agent, which may see that.
    assert verdict["proxy"] in ("draining", "gone")
    assert verdict["undelivered"]["bytes"] > 0


@cell(event="short-grace", mode="watch", form="classic", policy="Never")
@each_placement
def test_before_the_grace_period_of_a_deleted_pod_ends_the_agent_reports_what_is_lost(
    make_pod: MakePod, placement: Placement
) -> None:
    pod = make_pod(placement=placement, grace_period_s=4)
    base, _ = start_upload(pod, rate=MB // 4)
    pod.await_agent_log(messages.SIGNAL_ACCEPTED)
    pod.kubelet.delete()
    pod.kubelet.wait()
    assert base.exit_code() == 0
    if placement == "regular":
        # Nothing tells a deletion from another SIGTERM, so the agent works on until kubelet kills it.
        assert pod.agent().exit_code() == 137
        verdict = pod.agent().termination_message()
        # Kubelet ends the proxy at the moment at which it kills the agent, which may see that.
        assert verdict["proxy"] in ("draining", "gone")
        assert verdict["undelivered"]["bytes"] > 0
    else:
        # Kubelet ends a native sidecar after the proxy was killed, at the end of the grace period. It then has two seconds, which
        # it cannot know.
        verdict = pod.agent().termination_message()
        assert verdict["proxy"] == "gone"
        assert verdict["undelivered"]["bytes"] > 0


def check_loss_reported(pod: JobPod, proxy: str) -> None:
    """The agent was not killed, and its verdict names undelivered bytes, and what would have saved them."""
    (agent,) = pod.kubelet.runs("exeunt")
    assert agent.exit_code() == 0
    verdict = pod.verdict()
    assert verdict["proxy"] == proxy
    assert verdict["undelivered"]["bytes"] > 0
    assert verdict["limit"] == "grace-period"
    assert messages.RAISE_GRACE_PERIOD in verdict["advice"]
