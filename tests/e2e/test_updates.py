"""An operator replaces or removes the plugin while a pod drains."""

from pathlib import Path

import pytest

from e2e.checks import check_drain_continues
from e2e.upload import MB, WatchedUpload, finished_upload, watched_upload
from harness import messages, paths
from harness.scene import MakeScene, Scene
from harness.wait import until

# An empty custom section of WebAssembly. Envoy identifies a module by the hash of its file, so with this section it makes another
# virtual machine for the same code.
EMPTY_SECTION = b"\0\x08\x07another"


@pytest.fixture
def another_build(folder: Path) -> Path:
    """The filter as another build: the same code in a different file."""
    path = folder / "another.wasm"
    path.write_bytes(paths.wasm().read_bytes() + EMPTY_SECTION)
    return path


def draining(scene: Scene) -> WatchedUpload:
    """An upload of 6 MB that the filter already drains."""
    scene.sidecar.discover_plugin()
    upload = watched_upload(scene, size=6 * MB, rate=2 * MB)
    scene.await_state("draining")
    return upload


def test_another_build_of_the_module_goes_on_with_the_drain(make_scene: MakeScene, version: str, another_build: Path) -> None:
    scene = make_scene(version=version)
    scene.sidecar.discover_plugin()
    upload = finished_upload(scene, size=6 * MB, rate=2 * MB)
    scene.complete(container="before")
    upload.envoy.reconfigure(another_build)
    check_drain_continues(scene, upload.envoy)
    upload.check_delivered()


def test_another_build_beside_an_agent_loses_nothing(make_scene: MakeScene, version: str, another_build: Path) -> None:
    scene = make_scene(version=version)
    upload = draining(scene)
    upload.envoy.reconfigure(another_build)
    upload.check_delivered(within=20)
    verdict = upload.verdict()
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ("gone", 0)


def test_a_plugin_that_is_removed_during_the_drain_leaves_the_rest_to_the_agent(make_scene: MakeScene, version: str) -> None:
    scene = make_scene(version=version)
    upload = draining(scene)
    scene.sidecar.plugin_not_fetched()
    upload.envoy.reconfigure()
    until("the filter has gone", lambda: "x-exeunt" not in scene.ask("GET", "/v1/status").headers)
    upload.check_delivered(within=20)
    verdict = upload.verdict()
    assert (verdict["proxy"], verdict["undelivered"]["bytes"]) == ("gone", 0)
    assert not messages.is_by_filter(verdict["route"])
