"""The agent in a pod with Istio's capture rules, where it finds its task, the proxy and the ports by itself; needs root."""

import signal

import pytest

from e2e.upload import MB, finished_upload, watched_upload
from harness.pod import Pod
from harness.process import is_asleep, switches
from harness.scene import MakeScene
from harness.wait import until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_agent_continues_after_sigterm_and_sigint(pod: Pod, make_scene: MakeScene, number: signal.Signals) -> None:
    upload = watched_upload(make_scene(pod=pod), size=3 * MB, rate=2 * MB)
    upload.task.wait()
    # Kubelet sends it to a native sidecar as soon as the main container has ended.
    upload.agent.ending.send(number)
    upload.check_delivered()


def test_an_agent_that_starts_before_its_proxy_waits_for_it(pod: Pod, make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version, pod=pod)
    task = scene.task("idle")
    agent = scene.agent(task)
    task.begin()
    task.wait()
    # The task was shorter than the start of the proxy: there is no listener yet. The agent can end the proxy before it is ready.
    envoy = scene.envoy(pilot_agent=True, ready=False)
    envoy.gone(20)
    assert agent.wait(20) == 0


def test_the_agent_sleeps_while_the_task_runs(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    scene.envoy()
    task = scene.task("idle")
    agent = scene.agent(task)
    until("the agent sleeps", lambda: agent.has_told_envoy() and is_asleep(agent.pid))
    before = switches(agent.pid)
    # An agent that polls would wake up within two seconds.
    assert not agent.ending.comes(2.0)
    assert switches(agent.pid) == before


def test_when_the_agent_has_ended_the_pods_network_may_vanish(pod: Pod, make_scene: MakeScene) -> None:
    upload = watched_upload(make_scene(pod=pod), size=4 * MB, rate=MB)
    upload.task.wait()
    upload.envoy.gone(20)
    upload.agent.wait(20)
    # Kubelet removes the network when the last container has ended.
    pod.unplug()
    (delivery,) = upload.upstream.deliveries()
    assert (delivery.bytes, delivery.in_order) == (4 * MB, True)


def test_the_main_container_itself_can_complete(pod: Pod, make_scene: MakeScene, route: str) -> None:
    scene = make_scene(route=route, pod=pod)
    upload = finished_upload(scene, size=6 * MB, rate=4 * MB, pilot_agent=True)
    completer = scene.completer("--exit-code", "0")
    upload.check_delivered()
    assert completer.wait() == 0


def test_the_end_of_another_container_means_nothing(pod: Pod, make_scene: MakeScene) -> None:
    scene = make_scene(pod=pod)
    envoy = scene.envoy(pilot_agent=True)
    helper = scene.task("idle", container="other")
    task = scene.task("idle")
    agent = scene.agent(task)
    helper.begin()
    helper.wait()
    assert not envoy.ending.comes(1.0)
    task.begin()
    envoy.gone(10)
    assert agent.wait() == 0
