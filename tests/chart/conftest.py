"""Fixtures of the chart tier."""

from pathlib import Path

import pytest

from chart.programs import istio_definitions
from chart.versions import ISTIO, NEWEST


@pytest.fixture(params=ISTIO)
def version(request: pytest.FixtureRequest) -> str:
    """Each release of Istio in versions.py."""
    return str(request.param)


@pytest.fixture
def definitions(version: str) -> Path:
    """The custom resource definitions of that release."""
    return istio_definitions(version, ISTIO[version])


@pytest.fixture
def newest() -> Path:
    """The custom resource definitions of the newest release."""
    return istio_definitions(NEWEST, ISTIO[NEWEST])
