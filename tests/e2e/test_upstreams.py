"""Servers that are slow, silent or late to close: when the proxy waits for them, and when it does not."""

import pytest

from e2e.upload import KB, MB, finished_upload, watched_upload
from harness.scene import MakeScene


def test_an_upstream_that_never_reads_is_given_up_after_the_stall_limit(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.plugin_config["stallTimeout"] = "1s"
    upload = watched_upload(scene, "--stall-timeout", "1s", size=2 * MB, mode="never")
    upload.task.wait()
    gone = upload.envoy.gone(15)
    assert upload.task.ending.at is not None
    assert gone - upload.task.ending.at > 0.9
    assert upload.verdict()["undelivered"]["bytes"] > 0
    assert any("draining => quitting" in line for line in scene.transitions())


def test_without_an_agent_the_drain_limit_ends_an_upstream_that_never_reads(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.plugin_config["drainTimeout"] = "1s"
    upload = finished_upload(scene, size=2 * MB, mode="never")
    assert scene.complete().status == 202
    assert upload.task.ending.at is not None
    assert upload.envoy.gone(10) - upload.task.ending.at > 0.9


def test_the_proxy_waits_for_an_upstream_that_reads_50_kilobytes_per_second(make_scene: MakeScene) -> None:
    scene = make_scene()
    # A server with a receive buffer of 64 KiB opens its window every one or two seconds; 400 kB take eight seconds.
    scene.sidecar.plugin_config["stallTimeout"] = "4s"
    upload = watched_upload(scene, "--stall-timeout", "4s", size=400 * KB, rate=50 * KB)
    crc = upload.crc()
    upload.task.wait()
    upload.check_delivered(crc=crc)


def test_the_proxy_does_not_wait_for_an_upstream_that_closes_late(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upload = watched_upload(scene, size=2 * MB, rate=2 * MB, close_after_ms=20_000)
    (delivery,) = upload.upstream.deliveries()
    # Every byte and the FIN are acknowledged. Only the server's own close is missing, and no task is left to receive it.
    gone = upload.envoy.gone(10)
    assert (delivery.bytes, delivery.in_order) == (2 * MB, True)
    assert gone - delivery.at < 5
    assert upload.agent.wait() == 0


@pytest.mark.parametrize("bytes_per_second", [0, 100 * KB])
def test_200_parallel_uploads_are_all_delivered(make_scene: MakeScene, bytes_per_second: int) -> None:
    scene = make_scene()
    upload = watched_upload(scene, size=200 * KB, rate=bytes_per_second, task={"connections": 200})
    written = upload.task.report("written", within=30)
    deliveries = upload.upstream.deliveries(200, within=60)
    assert [delivery.bytes for delivery in deliveries] == [200 * KB] * 200
    assert sorted(delivery.crc for delivery in deliveries) == sorted(written["crcs"])
    assert all(delivery.in_order for delivery in deliveries)
    assert upload.envoy.gone(10) > deliveries[-1].last_at - upload.upstream.unread_s
    assert upload.agent.wait() == 0


def test_the_proxy_waits_for_the_long_request_of_a_helper(make_scene: MakeScene, version: str) -> None:
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


def test_a_helper_can_still_connect_during_the_drain(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.upstream(mode="http")
    upload = watched_upload(scene, size=4 * MB, rate=1 * MB)
    helper = scene.task("request", path="/flush", size=50_000)
    upload.task.wait()
    scene.await_state("draining")
    helper.begin()
    assert helper.report("answered")["status"] == 200
    upload.check_delivered()
