"""Signals and settings that drain the proxy but do not quit it: it must keep running."""

import pytest

from e2e.checks import check_drain_continues, check_stays
from e2e.upload import MB, finished_upload, watched_upload
from harness.scene import MakeScene


@pytest.mark.parametrize(("action", "quit_config"), [("drain", "auto"), ("quit", "never"), ("drain", "never")])
def test_a_proxy_that_may_not_quit_is_drained_and_stays(
    make_scene: MakeScene, version: str, action: str, quit_config: str
) -> None:
    scene = make_scene(version=version)
    scene.sidecar.plugin_config["quit"] = quit_config
    upload = finished_upload(scene, size=4 * MB, rate=2 * MB)
    assert scene.complete(action=action).json()["state"] == "draining"
    assert upload.upstream.deliveries()[0].bytes == 4 * MB
    check_stays(scene, upload.envoy)
    assert {scene.status()["state"] for _ in range(20)} == {"drained"}


def test_a_drained_proxy_accepts_more_signals_and_stays(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy()
    scene.complete(action="drain")
    scene.await_state("drained")
    assert scene.complete(action="drain").status == 202
    check_stays(scene, envoy)


def test_if_signals_contradict_the_action_drain_wins(make_scene: MakeScene) -> None:
    scene = make_scene()
    upload = finished_upload(scene, size=4 * MB, rate=2 * MB)
    for action in ("quit", "drain", "quit"):
        assert scene.complete(action=action).status == 202
    assert upload.upstream.deliveries()[0].bytes == 4 * MB
    check_stays(scene, upload.envoy)


@pytest.mark.parametrize("form", [["--proxy", "classic"], []])
def test_a_drain_that_somebody_asked_for_does_not_keep_a_proxy_that_counts_as_classic(
    make_scene: MakeScene, version: str, form: list[str]
) -> None:
    scene = make_scene(version=version)
    upload = watched_upload(scene, *form, size=4 * MB, rate=2 * MB)
    assert scene.complete(container="x", action="drain").status == 202
    upload.check_delivered()
    verdict = upload.verdict()
    assert verdict["route"].startswith("admin ")
    assert "it only drains" in verdict["rungs"][0]["outcome"]


def test_a_drain_counts_for_a_native_proxy(make_scene: MakeScene) -> None:
    scene = make_scene()
    upload = watched_upload(scene, "--proxy", "native", size=4 * MB, rate=2 * MB)
    assert scene.complete(container="x", action="drain").status == 202
    verdict = upload.verdict()
    assert (verdict["proxy"], verdict["advice"]) == ("left", None)
    assert verdict["route"].startswith("filter ")
    check_stays(scene, upload.envoy)


@pytest.mark.parametrize("action", [None, "drain", "quit"])
def test_a_plugin_that_never_quits_keeps_a_classic_proxy_and_the_verdict_says_why(
    make_scene: MakeScene, version: str, route: str, action: str | None
) -> None:
    scene = make_scene(version=version, route=route)
    scene.sidecar.plugin_config["quit"] = "never"
    upload = watched_upload(scene, "--proxy", "classic", size=4 * MB, rate=2 * MB)
    if action is not None:
        assert scene.complete(container="x", action=action).status == 202
    verdict = upload.verdict()
    assert verdict["proxy"] == "left"
    assert verdict["route"].startswith("filter ")
    assert (verdict["limit"], "quit: never" in verdict["advice"]) == (None, True)
    check_stays(scene, upload.envoy)


def test_the_end_of_a_limit_does_not_quit_a_proxy_that_only_drains(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.sidecar.plugin_config |= {"drainTimeout": "1s", "stallTimeout": "500ms"}
    upload = finished_upload(scene, size=2 * MB, mode="never")
    scene.complete(action="drain")
    check_stays(scene, upload.envoy)


def test_draining_fails_the_health_check_and_leaves_outbound_open(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.upstream(mode="http")
    scene.envoy()
    scene.complete(action="drain")
    scene.await_state("drained")
    helper = scene.task("request", path="/after")
    helper.begin()
    assert helper.report("answered")["status"] == 200


def test_a_reconfiguration_in_the_middle_of_the_drain_changes_nothing(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    upload = finished_upload(scene, size=6 * MB, rate=2 * MB)
    scene.complete(container="before")
    # Another setting makes a new configuration of the plugin, with its own root contexts.
    scene.sidecar.plugin_config["settle"] = "4ms"
    upload.envoy.reconfigure()
    check_drain_continues(scene, upload.envoy)
    upload.check_delivered()
