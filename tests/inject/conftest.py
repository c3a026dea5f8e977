"""Fixtures of the inject tier."""

from dataclasses import dataclass, field

import pytest

from chart.programs import Resource
from inject import pods
from inject.releases import Answer, Release
from inject.template import with_options


@dataclass
class Injector:
    """One release with proxies of one form, without the template and with it. Every pod is asked about once."""

    release: Release
    form: str
    template: str
    _answers: dict[str, tuple[Answer, ...]] = field(default_factory=dict)

    @property
    def native(self) -> bool:
        """Whether the proxies are native sidecars."""
        return self.form == "native"

    def answers(self, name: str) -> tuple[Answer, Answer]:
        """What becomes of a vector or a real pod without the template, and with it."""
        without, having, *_ = self._all[name]
        return without, having

    def again(self, name: str) -> tuple[Answer, Answer]:
        """What becomes of both if they are injected a second time."""
        *_, without, having = self._all[name]
        return without, having

    @property
    def _all(self) -> dict[str, tuple[Answer, ...]]:
        if not self._answers:
            names = [*pods.NAMES, *pods.REAL_NAMES]
            asked = [*map(pods.vector, pods.NAMES), *map(pods.real, pods.REAL_NAMES)]
            without, having = self.inject(asked, template=False), self.inject(asked)
            second = [
                self.inject([one.pod or pod for one, pod in zip(answers, asked, strict=True)], template=template)
                for template, answers in ((False, without), (True, having))
            ]
            self._answers = dict(zip(names, zip(without, having, *second, strict=True), strict=True))
        return self._answers

    def inject(self, asked: list[Resource], *, template: bool = True) -> list[Answer]:
        """What becomes of these pods, with the template or without it."""
        return self.release.inject(self.template if template else None, self.native, asked)


@pytest.fixture(scope="session", params=Release.built())
def release(request: pytest.FixtureRequest) -> Release:
    """Each release whose program is built."""
    return Release(str(request.param))


@pytest.fixture(scope="session", params=list(pods.SUFFIXES))
def form(request: pytest.FixtureRequest) -> str:
    """Each form that the vectors know."""
    return str(request.param)


@pytest.fixture(scope="session")
def injector(release: Release, form: str) -> Injector:
    """That release with proxies of that form, and the template for it."""
    placement = '"regular"' if form == "regular" else '"native"'
    return Injector(release, form, with_options(placement=placement))


@pytest.fixture(params=[True, False], ids=["native", "classic"])
def native(request: pytest.FixtureRequest) -> bool:
    """Whether the proxies are native sidecars."""
    return bool(request.param)
