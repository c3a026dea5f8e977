"""Fixtures of the end-to-end tier: a scene per test, on this machine's network or in a namespace with Istio's capture."""

import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.paths import Missing
from harness.pod import Pod
from harness.release import NEWEST, VERSIONS
from harness.scene import MakeScene, Scene
from harness.sidecar import LOOPBACK, SERVICE_ENTRY


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    """Each release of Envoy that is tested."""
    return str(request.param)


@pytest.fixture(params=[LOOPBACK, SERVICE_ENTRY])
def route(request: pytest.FixtureRequest) -> str:
    """Each way a completion reaches the filter."""
    return str(request.param)


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder that the pod's users can use; kept, and named, if the test fails.

    pytest's own `tmp_path` is closed to other users.
    """
    path = Path(tempfile.mkdtemp(prefix="exeunt-e2e-"))
    path.chmod(0o777)
    yield path
    if not getattr(request.node, "failed", False):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_scene(request: pytest.FixtureRequest, folder: Path) -> Iterator[MakeScene]:
    """Makes scenes; all of them are gone after the test, and say what they saw if it failed."""
    scenes: list[Scene] = []

    def make(**options: Any) -> Scene:
        place = folder / f"scene-{len(scenes)}"
        place.mkdir()
        place.chmod(0o777)
        scene = Scene(place, **({"version": NEWEST} | options))
        scenes.append(scene)
        return scene

    request.node.scenes = scenes
    yield make
    for scene in reversed(scenes):
        scene.close()


@pytest.fixture
def scene(make_scene: MakeScene) -> Scene:
    """A pod on this machine's network, with the newest Envoy and the loopback route."""
    return make_scene()


@pytest.fixture
def pod(folder: Path) -> Iterator[Pod]:
    """A pod with Istio's capture rules; needs root."""
    try:
        pod = Pod(folder)
    except Missing as missing:
        pytest.skip(f"no pod without a cluster: {missing}")
    with pod:
        yield pod


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds to a failure what every process said last."""
    report = yield
    if report.failed:
        item.failed = True  # type: ignore[attr-defined]
        for scene in getattr(item, "scenes", []):
            report.sections.append((f"processes ({scene.folder})", scene.describe()))
    return report
