"""Fixtures of the image tier: the images, several registries, and Istio's own code as the judge."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.images import Made, Tool
from harness.judge import Judge
from harness.paths import Missing
from harness.registry import Authority, Registry


@pytest.fixture
def tool(tmp_path: Path) -> Tool:
    """The program of ./build.sh image, in an empty folder."""
    return Tool(tmp_path)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The images of the built filter and agent."""
    folder = tmp_path_factory.mktemp("made")
    Tool(folder).make(folder / "images")
    return Made(folder / "images")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A self-signed certificate."""
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry without TLS, in which each test has its own repository."""
    yield from _running(Registry(tmp_path_factory.mktemp("registry")))


@pytest.fixture(scope="session")
def tls_registry(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Registry]:
    """A registry with TLS and a password, whose realm Istio accepts."""
    yield from _running(Registry(tmp_path_factory.mktemp("registry"), authority=authority, realm="https://registry.example/"))


@pytest.fixture
def named_realm(tmp_path: Path) -> Iterator[Registry]:
    """A registry whose realm is a name, as is usual for registries with a password file."""
    yield from _running(Registry(tmp_path, realm="Registry Realm"))


@pytest.fixture
def prefix(request: pytest.FixtureRequest, registry: Registry) -> str:
    """The place in the registry that belongs to one test."""
    return f"{registry.name}/{request.node.name.split('[')[0].strip('_').replace('_', '-')}"


@pytest.fixture(scope="session")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    """Istio's own code."""
    try:
        return Judge(tmp_path_factory.mktemp("judge"))
    except Missing as missing:
        pytest.skip(f"Istio's own fetcher as judge: {missing}")


def _running(registry: Registry) -> Iterator[Registry]:
    with registry:
        yield registry
