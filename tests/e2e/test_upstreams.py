"""Far ends of every temper: what is waited for, and what is not."""

import pytest

from harness.delivery import check_all_delivered
from harness.scene import MakeScene, Scene
from harness.wait import until

KB = 1_000
MB = 1_000_000


def test_an_upstream_that_never_reads_is_given_up_after_the_stall_limit(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.plugin_config["stallTimeout"] = "1s"
    scene.upstream(mode="never")
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=2 * MB)
    agent = scene.agent(task, "--stall-timeout", "1s")
    task.begin()
    task.wait()
    gone = envoy.gone(15)
    assert task.ending.at is not None
    assert gone - task.ending.at > 0.9
    verdict = agent.verdict()
    assert verdict["undelivered"]["bytes"] > 0
    assert any("draining => quitting" in line for line in scene.transitions())


def test_without_an_agent_the_drain_limit_ends_an_upstream_that_never_reads(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.plugin_config["drainTimeout"] = "1s"
    scene.upstream(mode="never")
    envoy = scene.envoy()
    task = scene.task(size=2 * MB)
    task.begin()
    task.wait()
    assert scene.complete().status == 202
    assert task.ending.at is not None
    assert envoy.gone(10) - task.ending.at > 0.9


def test_an_upstream_that_reads_50_kilobytes_a_second_is_waited_for(make_scene: MakeScene) -> None:
    scene = make_scene()
    # A receiver with a buffer of 64 KiB opens its window every one or two seconds; 400 kB take eight.
    scene.sidecar.plugin_config["stallTimeout"] = "4s"
    upstream = scene.upstream(rate=50 * KB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=400 * KB)
    agent = scene.agent(task, "--stall-timeout", "4s")
    task.begin()
    crc = task.report("written")["crcs"][0]
    task.wait()
    check_all_delivered(upstream, envoy, 400 * KB, crc=crc)
    assert agent.wait() == 0


def test_an_upstream_that_half_closes_late_is_not_waited_for(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upstream = scene.upstream(rate=2 * MB, close_after_ms=20_000)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=2 * MB)
    agent = scene.agent(task)
    task.begin()
    (delivery,) = upstream.deliveries()
    # Everything is ACKed, its FIN included; only the upstream's own close is missing, and nobody is left to see it.
    gone = envoy.gone(10)
    assert (delivery.bytes, delivery.in_order) == (2 * MB, True)
    assert gone - delivery.at < 5
    assert agent.wait() == 0


@pytest.mark.parametrize("bytes_per_second", [0, 100 * KB])
def test_200_parallel_uploads_are_all_delivered(make_scene: MakeScene, bytes_per_second: int) -> None:
    scene = make_scene()
    upstream = scene.upstream(rate=bytes_per_second)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=200 * KB, connections=200)
    agent = scene.agent(task)
    task.begin()
    written = task.report("written", within=30)
    deliveries = upstream.deliveries(200, within=60)
    assert [delivery.bytes for delivery in deliveries] == [200 * KB] * 200
    assert sorted(delivery.crc for delivery in deliveries) == sorted(written["crcs"])
    assert all(delivery.in_order for delivery in deliveries)
    assert envoy.gone(10) > deliveries[-1].last_at - upstream.unread_s
    assert agent.wait() == 0


def test_a_helper_with_a_long_request_is_waited_for(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upstream = scene.upstream(mode="http")
    envoy = scene.envoy(pilot_agent=True)
    helper = scene.task("request", path="/slow?ms=3000", size=1000)
    task = scene.task("idle")
    agent = scene.agent(task)
    helper.begin()
    upstream.report("request")
    task.begin()
    task.wait()
    answered = helper.report("answered")
    assert answered["status"] == 200
    assert envoy.gone(10) > answered["at"] - 1
    assert agent.wait() == 0
    assert helper.wait() == 0


def test_while_it_drains_a_helper_can_still_connect(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.upstream(mode="http")
    upstream = scene.upstream(rate=1 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=4 * MB)
    agent = scene.agent(task)
    helper = scene.task("request", path="/flush", size=50_000)
    task.begin()
    task.wait()
    until("the drain has begun", lambda: _draining(scene))
    helper.begin()
    assert helper.report("answered")["status"] == 200
    check_all_delivered(upstream, envoy, 4 * MB)
    assert agent.wait() == 0


def _draining(scene: Scene) -> bool:
    state: str = scene.status()["state"]
    return state == "draining"
