"""Fixtures of the tier with real containers: podman, and pods of its containers."""

import shutil
import signal
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from containers.jobpod import JobPod
from containers.podman import Podman
from containers.stopwatch import Stopwatch, note
from harness.paths import Missing

MakePod = Callable[..., JobPod]


def pytest_configure(config: pytest.Config) -> None:
    """Adds the stopwatch to the process that gets the reports of all tests. SIGTERM, as from build.sh, runs the clean-up too."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Stopwatch())


@pytest.fixture(scope="session")
def podman() -> Iterator[Podman | str]:
    """Podman, or the reason why it cannot run here."""
    try:
        podman = Podman()
    except Missing as missing:
        yield f"no real containers here: {missing}"
        return
    with podman:
        yield podman


@pytest.fixture
def make_pod(request: pytest.FixtureRequest, podman: Podman | str) -> Iterator[MakePod]:
    """Makes pods with the options of `JobPod` and deletes them after the test; a failure shows the logs of their containers."""
    if isinstance(podman, str):
        pytest.skip(podman)
    pods: list[JobPod] = []
    folder = Path(tempfile.mkdtemp(prefix="exeunt-containers-"))
    folder.chmod(0o755)

    def make(**options: Any) -> JobPod:
        place = folder / f"pod-{len(pods)}"
        place.mkdir()
        pod = JobPod(podman, place, **options)
        pods.append(pod)
        return pod

    request.node.pods = pods
    try:
        yield make
    finally:
        note(request.node, pods)
        for pod in reversed(pods):
            pod.close()
        if not getattr(request.node, "failed", False):
            shutil.rmtree(folder, ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Adds the last log lines of every container to a failure."""
    report = yield
    if report.failed:
        item.failed = True  # type: ignore[attr-defined]
        for pod in getattr(item, "pods", []):
            report.sections.append((f"containers ({pod.folder})", pod.describe()))
    return report
