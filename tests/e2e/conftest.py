"""Fixtures of the end-to-end tier: one scene per test, on this machine's network or in a namespace with Istio's capture."""

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
    """Each tested release of Envoy."""
    return str(request.param)


@pytest.fixture(params=[LOOPBACK, SERVICE_ENTRY])
def route(request: pytest.FixtureRequest) -> str:
    """Each way in which a completion reaches the filter."""
    return str(request.param)


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder that all of the pod's users can use; it is kept if the test fails.

    Other users have no access to pytest's own `tmp_path`.
    """
    path = Path(tempfile.mkdtemp(prefix="exeunt-e2e-"))
    path.chmod(0o777)
    yield path
    if not getattr(request.node, "failed", False):
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def make_scene(request: pytest.FixtureRequest, folder: Path) -> Iterator[MakeScene]:
    """Makes scenes and closes them after the test; a failure shows the logs of their programs."""
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
    """Adds the last log lines of every process to a failure."""
    report = yield
    if report.failed:
        item.failed = True  # type: ignore[attr-defined]
        for scene in getattr(item, "scenes", []):
            report.sections.append((f"processes ({scene.folder})", scene.describe()))
    return report
