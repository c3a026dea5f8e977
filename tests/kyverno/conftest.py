"""Fixtures of the tests with Kyverno."""

from dataclasses import dataclass, field

import pytest

from inject import pods
from inject.releases import Answer, Release
from inject.template import with_options
from kyverno.engine import Answer as Admitted
from kyverno.engine import Kyverno, policies


@dataclass
class Both:
    """Every pod by two ways: Istio's injector with the template, and Istio's injector without it and then Kyverno."""

    release: Release
    form: str
    _answers: dict[str, tuple[Answer, Answer, Admitted | None]] = field(default_factory=dict)

    def answers(self, name: str) -> tuple[Answer, Answer, Admitted | None]:
        """What becomes of a vector or a real pod: by Istio alone, with the template, and with Kyverno."""
        if not self._answers:
            self._answers = dict(zip(pods.ALL, self._ask(), strict=True))
        return self._answers[name]

    def _ask(self) -> list[tuple[Answer, Answer, Admitted | None]]:
        native, placement = self.form == "native", "regular" if self.form == "regular" else "native"
        asked = [pods.any_of(name) for name in pods.ALL]
        without = self.release.inject(None, native, asked)
        having = self.release.inject(with_options(placement=f'"{placement}"'), native, asked)
        kyverno = Kyverno(policies(pods={"placement": placement, "namespaces": "injected"}))
        admitted = iter(kyverno.create(*(one.pod for one in without if one.pod)))
        return [(alone, with_it, next(admitted) if alone.pod else None) for alone, with_it in zip(without, having, strict=True)]


@pytest.fixture(scope="session")
def release() -> Release:
    """The newest release whose injector is built."""
    return Release(Release.built()[-1])


@pytest.fixture(scope="session", params=list(pods.SUFFIXES))
def both(release: Release, request: pytest.FixtureRequest) -> Both:
    """All pods, with proxies and agents of each form."""
    return Both(release, str(request.param))
