"""The main job: a task uploads, ends, and its proxy leaves at once after the last byte."""

import signal
from typing import Any

import pytest

from harness.delivery import check_all_delivered
from harness.scene import MakeScene, Scene
from harness.sidecar import LOOPBACK, SERVICE_ENTRY

MEGABYTE = 1_000_000


def end_to_end(scene: Scene, *, size: int = 6 * MEGABYTE, rate: int = 4 * MEGABYTE, **task_options: Any) -> dict[str, object]:
    """Runs a task to its end; everything must have arrived. The agent's verdict."""
    upstream = scene.upstream(rate=rate)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=size, **task_options)
    agent = scene.agent(task)
    task.begin()
    written = task.report("written")
    verdict: dict[str, object] = agent.verdict()
    assert written["failed"] == ""
    check_all_delivered(upstream, envoy, size, crc=written["crcs"][0])
    assert envoy.pilot_agent is not None
    assert envoy.pilot_agent.wait() == 0
    assert agent.wait() == 0
    return verdict


def test_a_task_uploads_and_exits_and_its_proxy_leaves_with_nothing_lost(make_scene: MakeScene, version: str, route: str) -> None:
    scene = make_scene(version=version, route=route)
    end_to_end(scene)
    assert [line.partition(":")[0] for line in scene.transitions()] == ["serving => draining", "draining => quitting"]


def test_the_translated_plugin_of_istio_1_30_works_unchanged(make_scene: MakeScene) -> None:
    end_to_end(make_scene(version="1.40.0", istio="1.30.3"))


@pytest.mark.parametrize(("options", "expected"), [({"exit_code": 3}, (3, None)), ({"killed_by": 9}, (None, 9))])
def test_the_verdict_is_the_tasks_own(
    make_scene: MakeScene, options: dict[str, int], expected: tuple[int | None, int | None]
) -> None:
    verdict = end_to_end(make_scene(), size=MEGABYTE, **options)
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
    # A bound against hanging, not a figure: the benchmark measures.
    assert gone - task.ending.at < 2
    assert agent.wait() == 0


@pytest.mark.parametrize("via", [LOOPBACK, SERVICE_ENTRY])
def test_without_an_agent_a_signal_alone_waits_for_the_last_byte(make_scene: MakeScene, version: str, via: str) -> None:
    scene = make_scene(version=version, route=via)
    upstream = scene.upstream(rate=4 * MEGABYTE)
    envoy = scene.envoy()
    task = scene.task(size=8 * MEGABYTE)
    task.begin()
    crc = task.report("written")["crcs"][0]
    task.wait()
    answer = scene.complete()
    assert answer.status == 202
    assert answer.json()["state"] in ("draining", "quitting")
    check_all_delivered(upstream, envoy, 8 * MEGABYTE, crc=crc)


def test_a_script_can_complete_without_a_watcher(make_scene: MakeScene) -> None:
    scene = make_scene()
    upstream = scene.upstream(rate=4 * MEGABYTE)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=6 * MEGABYTE)
    task.begin()
    task.wait()
    one_shot = scene.completer("--exit-code", "3")
    check_all_delivered(upstream, envoy, 6 * MEGABYTE)
    assert one_shot.wait() == 0


def test_a_script_is_told_by_69_that_the_proxy_stays(make_scene: MakeScene) -> None:
    scene = make_scene()
    envoy = scene.envoy()
    # Hung for ever, and nobody there who could kill it.
    envoy.ending.send(signal.SIGSTOP)
    one_shot = scene.completer("--stall-timeout", "1s", "--drain-timeout", "2s")
    assert one_shot.wait(60) == 69
    assert envoy.running


def test_a_wrong_option_is_named_with_all_others(make_scene: MakeScene) -> None:
    scene = make_scene()
    scene.envoy()
    one_shot = scene.completer("--exit-code", "300", "--drain-timeout", "soon", "--colour", "red")
    assert one_shot.wait() == 64
    said = one_shot.log.read_text()
    for name in ("exit-code", "drain-timeout", "colour"):
        assert name in said
