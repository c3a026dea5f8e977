"""Beside a native proxy, kubelet's SIGTERM is the end of the task: the agent needs no other sign of it; needs root."""

import signal

from e2e.upload import KB, MB
from harness.delivery import check_all_delivered
from harness.pod import Pod
from harness.process import is_asleep, switches
from harness.scene import MakeScene
from harness.wait import until


def test_the_agent_sleeps_until_sigterm_and_then_loses_nothing(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.injected("native", "base")
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    ours = scene.native_agent()
    task = scene.task(size=8 * MB)
    until("the agent sleeps", lambda: is_asleep(ours.pid))
    before = switches(ours.pid)
    task.begin()
    task.wait()
    # An agent that looks for the end of the task by itself would see it within this time.
    assert not ours.ending.comes(1.0)
    assert switches(ours.pid) == before, "it wakes up without SIGTERM"
    ours.terminate()
    assert ours.wait(30) == 0
    assert envoy.running, "kubelet ends a native proxy"
    verdict = ours.last_message()
    scene.pilot_agent.ending.send(signal.SIGTERM)
    check_all_delivered(upstream, envoy, 8 * MB, within=30)
    assert (verdict["proxy"], verdict["action"], verdict["container"]) == ("left", "drain", None)
    assert (verdict["ended"], verdict["exitStatus"]) == ("SIGTERM from kubelet", "unknown")
    assert (verdict["undelivered"], verdict["limit"]) == ({"connections": 0, "bytes": 0, "atLeast": False}, None)
    assert verdict["route"] == "filter 127.0.0.1:15190"


def test_after_a_sigterm_that_is_not_kubelets_the_next_one_is_served_like_the_first(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.injected("native", "base")
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=6 * MB)
    first = scene.native_agent(name="first")
    first.terminate()
    assert first.wait(10) == 0
    assert scene.status()["state"] == "drained"
    assert envoy.running
    # Kubelet starts it again, and the task goes on.
    second = scene.native_agent(name="second")
    task.begin()
    task.wait()
    second.terminate()
    assert second.wait(30) == 0
    verdict = second.last_message()
    scene.pilot_agent.ending.send(signal.SIGTERM)
    check_all_delivered(upstream, envoy, 6 * MB, within=30)
    assert (verdict["proxy"], verdict["undelivered"]["bytes"], verdict["limit"]) == ("left", 0, None)
    assert [step.split(":")[0] for step in scene.transitions()] == [
        "serving => draining",
        "draining => drained",
        "drained => draining",
        "draining => drained",
    ]


def test_the_grace_period_is_a_limit_and_the_verdict_says_so(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.injected("native", "base")
    scene.upstream(rate=100 * KB)
    envoy = scene.envoy(pilot_agent=True)
    ours = scene.native_agent("--grace-period", "5s")
    task = scene.task(size=4 * MB)
    task.begin()
    task.wait()
    ours.terminate()
    # Kubelet would kill it after five seconds.
    assert ours.wait(5) == 0
    verdict = ours.last_message()
    assert envoy.running
    assert (verdict["proxy"], verdict["limit"]) == ("left", "grace-period")
    assert verdict["undelivered"]["bytes"] > 0
    assert "terminationGracePeriodSeconds" in verdict["advice"]
    assert "--grace-period" in verdict["advice"]
    assert 2_500 <= verdict["drainMs"] <= 4_500


def test_an_agent_that_is_killed_leaves_a_verdict(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.injected("native", "base")
    scene.upstream(rate=100 * KB)
    scene.envoy(pilot_agent=True)
    ours = scene.native_agent()
    task = scene.task(size=4 * MB)
    task.begin()
    task.wait()
    ours.terminate()
    # After a deletion less of the grace period can be left than the agent was told.
    until("there is a first verdict", lambda: ours.has_message(proxy="draining"), within=2)
    ours.ending.send(signal.SIGKILL)
    assert ours.wait() == -signal.SIGKILL
    verdict = ours.last_message()
    assert (verdict["proxy"], verdict["limit"], verdict["drainMs"]) == ("draining", "grace-period", None)
    assert verdict["undelivered"]["bytes"] > 0


def test_beside_a_native_proxy_a_restarted_envoy_does_not_matter(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.injected("native", "base")
    upstream = scene.upstream(rate=2 * MB)
    first = scene.envoy(pilot_agent=True)
    ours = scene.native_agent()
    # Kubelet starts a native proxy again.
    first.ending.send(signal.SIGKILL)
    first.gone(10)
    second = scene.envoy(pilot_agent=True)
    task = scene.task(size=6 * MB)
    task.begin()
    task.wait()
    ours.terminate()
    assert ours.wait(30) == 0
    assert second.running
    verdict = ours.last_message()
    scene.pilot_agent.ending.send(signal.SIGTERM)
    check_all_delivered(upstream, second, 6 * MB, within=30)
    assert (verdict["proxy"], verdict["undelivered"]["bytes"], verdict["limit"]) == ("left", 0, None)


def test_an_agent_that_is_listed_before_the_proxy_says_so(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.sidecar.injected("native", "base")
    ours = scene.native_agent("--proxy", "native", "--placement", "native")
    assert "istio-proxy started after the agent: list the agent behind istio-proxy" in ours.log.read_text()
    envoy = scene.envoy(pilot_agent=True)
    # Kubelet ends native sidecars in the reverse order of their list.
    scene.pilot_agent.ending.send(signal.SIGTERM)
    envoy.gone(20)
    # The pod shares its processes here, and a pilot-agent that still runs would count as the proxy.
    scene.pilot_agent.ending.wait(20)
    ours.terminate()
    assert ours.wait(10) == 0
    verdict = ours.last_message()
    assert verdict["advice"].startswith("list the agent behind istio-proxy in initContainers")
