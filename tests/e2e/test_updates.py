"""What an operator does to the plugin while a pod drains: replaces it, or takes it away."""

from pathlib import Path

import pytest

from harness import messages, paths
from harness.delivery import check_all_delivered
from harness.scene import MakeScene
from harness.wait import until

MB = 1_000_000
# A section of WebAssembly that means nothing: its name, and no contents. With it the module is another one to Envoy, which goes
# by the hash of the file, and so makes another virtual machine of it.
NOTHING = b"\0\x08\x07another"


@pytest.fixture
def another_build(folder: Path) -> Path:
    """The module, as another build of it."""
    path = folder / "another.wasm"
    path.write_bytes(paths.wasm().read_bytes() + NOTHING)
    return path


def test_another_build_of_the_module_goes_on_with_the_drain(make_scene: MakeScene, version: str, another_build: Path) -> None:
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy()
    task = scene.task(size=6 * MB)
    task.begin()
    task.wait()
    scene.complete(container="before")
    envoy.reconfigure(another_build)
    until("the other build is there", lambda: envoy.plugin_version() == "2")
    assert {scene.status()["state"] for _ in range(20)} == {"draining"}
    assert scene.status()["container"] == "before"
    check_all_delivered(upstream, envoy, 6 * MB)


def test_another_build_beside_an_agent_loses_nothing(make_scene: MakeScene, version: str, another_build: Path) -> None:
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=6 * MB)
    agent = scene.agent(task)
    task.begin()
    until("it drains", lambda: scene.status()["state"] == "draining")
    envoy.reconfigure(another_build)
    check_all_delivered(upstream, envoy, 6 * MB, within=20)
    verdict = agent.verdict()
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ("gone", 0)
    assert agent.wait() == 0


def test_a_plugin_that_is_removed_during_the_drain_leaves_the_rest_to_the_agent(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    upstream = scene.upstream(rate=2 * MB)
    envoy = scene.envoy(pilot_agent=True)
    task = scene.task(size=6 * MB)
    agent = scene.agent(task)
    task.begin()
    until("it drains", lambda: scene.status()["state"] == "draining")
    scene.sidecar.plugin_not_fetched()
    envoy.reconfigure()
    until("the filter has gone", lambda: "x-exeunt" not in scene.ask("GET", "/v1/status").headers)
    check_all_delivered(upstream, envoy, 6 * MB, within=20)
    verdict = agent.verdict()
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ("gone", 0)
    assert not messages.is_by_filter(verdict["route"])
    assert agent.wait() == 0
