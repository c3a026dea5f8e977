"""When the proxy is only to be drained: it stays, whatever happens."""

import pytest

from harness.delivery import check_all_delivered
from harness.scene import MakeScene
from harness.wait import until

MB = 1_000_000

# How long a proxy that is to stay is looked at: a quit takes 50 ms.
LOOK_FOR_S = 1.0


@pytest.mark.parametrize(("action", "quit_config"), [("drain", "auto"), ("quit", "never"), ("drain", "never")])
def test_a_proxy_that_may_not_quit_is_drained_and_stays(
    make_scene: MakeScene, version: str, action: str, quit_config: str
) -> None:
    scene = make_scene(version=version)
    scene.sidecar.plugin_config["quit"] = quit_config
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy()
    task = scene.task(size=4 * MB)
    task.begin()
    task.wait()
    assert scene.complete(action=action).json()["state"] == "draining"
    assert upstream.deliveries()[0].bytes == 4 * MB
    until("everything is delivered", lambda: scene.status()["state"] == "drained")
    assert not envoy.ending.comes(LOOK_FOR_S)
    assert {scene.status()["state"] for _ in range(20)} == {"drained"}


def test_a_drained_proxy_takes_further_signals_and_stays(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy()
    scene.complete(action="drain")
    until("it is drained", lambda: scene.status()["state"] == "drained")
    assert scene.complete(action="drain").status == 202
    assert not envoy.ending.comes(LOOK_FOR_S)


def test_of_contradictory_signals_the_one_that_spares_the_proxy_counts(make_scene: MakeScene) -> None:
    scene = make_scene()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy()
    task = scene.task(size=4 * MB)
    task.begin()
    task.wait()
    for action in ("quit", "drain", "quit"):
        assert scene.complete(action=action).status == 202
    assert upstream.deliveries()[0].bytes == 4 * MB
    until("it is drained", lambda: scene.status()["state"] == "drained")
    assert not envoy.ending.comes(LOOK_FOR_S)


def test_a_limit_that_passes_does_not_quit_a_proxy_that_is_to_drain(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.plugin_config |= {"drainTimeout": "1s", "stallTimeout": "500ms"}
    scene.upstream(mode="never")
    envoy = scene.envoy()
    task = scene.task(size=2 * MB)
    task.begin()
    task.wait()
    scene.complete(action="drain")
    until("the limit has passed", lambda: scene.status()["state"] == "drained")
    assert not envoy.ending.comes(LOOK_FOR_S)


def test_draining_fails_the_health_check_and_leaves_outbound_open(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.upstream(mode="http")
    scene.envoy()
    scene.complete(action="drain")
    until("it is drained", lambda: scene.status()["state"] == "drained")
    helper = scene.task("request", path="/after")
    helper.begin()
    assert helper.report("answered")["status"] == 200


def test_a_reconfiguration_in_the_middle_of_the_drain_changes_nothing(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy()
    task = scene.task(size=6 * MB)
    task.begin()
    task.wait()
    scene.complete(container="before")
    # Other settings: another configuration of the plugin, with root contexts of its own.
    scene.sidecar.plugin_config["settle"] = "4ms"
    envoy.reconfigure()
    until("the new configuration is there", lambda: envoy.plugin_version() == "2")
    assert {scene.status()["state"] for _ in range(20)} == {"draining"}
    assert scene.status()["container"] == "before"
    check_all_delivered(upstream, envoy, 6 * MB)
