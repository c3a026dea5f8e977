"""The main job of exeunt: a task uploads and ends, and its proxy ends at once after the last byte."""

import signal
from typing import Any

import pytest

from e2e.upload import MB, finished_upload, upload, watched_upload
from harness.scene import MakeScene, Scene


def upload_to_the_end(scene: Scene, *, size: int = 6 * MB, **task_options: Any) -> Any:
    """Runs a task to its end; everything must arrive. Returns the agent's verdict."""
    started = watched_upload(scene, size=size, rate=4 * MB, task=task_options)
    crc = started.crc()
    verdict = started.verdict()
    started.check_delivered(crc=crc)
    assert scene.pilot_agent.wait() == 0
    return verdict


def test_a_task_uploads_and_exits_and_its_proxy_leaves_with_nothing_lost(make_scene: MakeScene, version: str, route: str) -> None:
    scene = make_scene(version=version, route=route)
    upload_to_the_end(scene)
    assert [line.partition(":")[0] for line in scene.transitions()] == ["serving => draining", "draining => quitting"]


def test_the_translated_plugin_of_istio_1_30_works_unchanged(make_scene: MakeScene) -> None:
    upload_to_the_end(make_scene(version="1.40.0", istio="1.30.3"))


@pytest.mark.parametrize(("options", "expected"), [({"exit_code": 3}, (3, None)), ({"killed_by": 9}, (None, 9))])
def test_the_verdict_says_how_the_task_ended(
    make_scene: MakeScene, options: dict[str, int], expected: tuple[int | None, int | None]
) -> None:
    verdict = upload_to_the_end(make_scene(), size=MB, **options)
    assert (verdict["exitCode"], verdict["signal"]) == expected


def test_a_task_that_wrote_nothing_ends_its_proxy_at_once(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    agent = scene.agent(task)
    task.begin()
    task.wait()
    gone = envoy.gone(5)
    assert task.ending.at is not None
    # This limit only detects a proxy that hangs; the benchmark measures the time.
    assert gone - task.ending.at < 2
    assert agent.wait() == 0


def test_without_an_agent_a_signal_alone_waits_for_the_last_byte(make_scene: MakeScene, version: str, route: str) -> None:
    scene = make_scene(version=version, route=route)
    started = upload(scene, size=8 * MB, rate=4 * MB)
    crc = started.crc()
    started.task.wait()
    answer = scene.complete()
    assert answer.status == 202
    assert answer.json()["state"] in ("draining", "quitting")
    started.check_delivered(crc=crc)


def test_a_script_can_complete_without_a_watcher(make_scene: MakeScene) -> None:
    scene = make_scene()
    finished = finished_upload(scene, size=6 * MB, rate=4 * MB, pilot_agent=True)
    completer = scene.completer("--exit-code", "3")
    finished.check_delivered()
    assert completer.wait() == 0


def test_complete_exits_with_69_if_the_proxy_stays(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy()
    # It hangs for ever, and there is no pilot-agent that could kill it.
    envoy.ending.send(signal.SIGSTOP)
    completer = scene.completer("--stall-timeout", "1s", "--drain-timeout", "2s")
    assert completer.wait(60) == 69
    assert envoy.running


def test_a_wrong_option_is_named_with_all_others(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.envoy()
    completer = scene.completer("--exit-code", "300", "--drain-timeout", "soon", "--colour", "red")
    assert completer.wait() == 64
    said = completer.log.read_text()
    for name in ("exit-code", "drain-timeout", "colour"):
        assert name in said
