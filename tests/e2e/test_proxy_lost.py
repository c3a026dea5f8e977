"""A proxy that has ended before its time, dies during the drain, or hangs."""

import signal

from e2e.upload import MB, watched_upload
from harness import messages
from harness.network import CLOSED
from harness.scene import MakeScene
from harness.wait import until


def test_a_proxy_that_ended_after_an_earlier_upload_has_lost_nothing(make_scene: MakeScene) -> None:
    scene = make_scene()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    helper = scene.task(size=4 * MB)
    helper.begin()
    helper.report("written")
    task = scene.task("idle")
    # The agent first sees the proxy in the middle of the helper's upload.
    agent = scene.agent(task)
    assert upstream.deliveries()[0].bytes == 4 * MB
    envoy.ending.send(signal.SIGTERM)
    envoy.gone(10)
    task.begin()
    task.wait()
    verdict = agent.verdict(within=10)
    assert (verdict["proxy"], verdict["undelivered"]) == ("gone", {"connections": 0, "bytes": 0, "atLeast": True})


def test_a_proxy_that_has_already_ended_is_no_problem(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    agent = scene.agent(task)
    envoy.ending.send(signal.SIGKILL)
    envoy.gone(5)
    task.begin()
    task.wait()
    verdict = agent.verdict(within=10)
    assert agent.wait() == 0
    assert verdict["exitCode"] == 0


def test_when_the_proxy_dies_during_the_drain_the_agent_ends(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upload = watched_upload(scene, size=12 * MB, rate=MB)
    upload.task.wait(30)
    until("the drain has begun", lambda: len(scene.transitions()) == 1)
    upload.envoy.ending.send(signal.SIGKILL)
    upload.verdict()


def test_a_proxy_that_hangs_for_a_moment_loses_nothing(make_scene: MakeScene, version: str) -> None:
    upload = watched_upload(make_scene(version=version), size=4 * MB, rate=2 * MB)
    upload.crc()
    upload.envoy.ending.send(signal.SIGSTOP)
    upload.task.wait()
    # Long enough for the agent to get no answer.
    assert not upload.envoy.ending.comes(1.0)
    upload.envoy.ending.send(signal.SIGCONT)
    upload.check_delivered(within=20)


def test_a_proxy_that_hangs_for_ever_is_ended_by_pilot_agent(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    agent = scene.agent(task, "--stall-timeout", "2s", "--drain-timeout", "4s")
    envoy.ending.send(signal.SIGSTOP)
    task.begin()
    envoy.gone(60)
    verdict = agent.verdict()
    assert agent.wait() == 0
    assert not messages.is_by_filter(verdict["route"])


def test_a_proxy_that_hangs_without_a_status_port_is_ended_by_sigterm(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    agent = scene.agent(task, "--stall-timeout", "2s", "--drain-timeout", "4s", "--status-port", str(CLOSED[1]))
    envoy.ending.send(signal.SIGSTOP)
    task.begin()
    envoy.gone(90)
    verdict = agent.verdict()
    assert agent.wait() == 0
    assert verdict["route"] == messages.BY_SIGTERM
    assert {"route": messages.BY_SIGTERM, "outcome": "gone"} in verdict["rungs"]
