"""Fixtures of the chart tier."""

from pathlib import Path

import pytest

from chart.programs import istio_definitions
from chart.versions import ISTIO, NEWEST


@pytest.fixture(params=ISTIO)
def version(request: pytest.FixtureRequest) -> str:
    """Each release of Istio whose definitions are known."""
    return str(request.param)


@pytest.fixture
def definitions(version: str) -> Path:
    """That release's custom resource definitions."""
    return istio_definitions(version, ISTIO[version])


@pytest.fixture
def newest() -> Path:
    """The newest release's."""
    return istio_definitions(NEWEST, ISTIO[NEWEST])
