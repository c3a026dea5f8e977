"""Fixtures of the policy tier."""

import copy
from dataclasses import dataclass, field

import pytest

from chart.programs import Resource
from inject import pods
from inject.releases import Release
from policy.server import Created, Server

# The values of the chart that make each form of the vectors.
FORMS = {
    "native": {"pods": {"proxy": "native"}},
    "classic": {"pods": {"proxy": "keep"}},
    "regular": {"pods": {"proxy": "keep", "placement": "regular"}},
}


@dataclass
class Cluster:
    """One API server with the policy for one form. Every pod is created without the policy, with it, and then once more."""

    server: Server
    form: str
    _created: dict[str, tuple[Created, Created, Created]] = field(default_factory=dict)
    _expected: dict[str, Resource] = field(default_factory=dict)

    def created(self, name: str) -> tuple[Created, Created, Created]:
        """What becomes of a vector or of a real pod."""
        if not self._created:
            names = [*pods.NAMES, *pods.REAL_NAMES]
            asked = [*map(pods.vector, pods.NAMES), *map(pods.real, pods.REAL_NAMES)]
            policies = self.server.policies(**FORMS[self.form])
            without, having = self.server.create([], asked), self.server.create(policies, asked)
            again = self.server.create(policies, [one.pod or pod for one, pod in zip(having, asked, strict=True)])
            self._created = dict(zip(names, zip(without, having, again, strict=True), strict=True))
        return self._created[name]

    def expected(self, name: str) -> Resource | None:
        """The pod of a vector with its agent, as the API server stores it, or `None` if it gets none in this form."""
        if not self._expected:
            found = {name: pod for name in pods.NAMES if (pod := pods.expected(name, self.form))}
            stored = self.server.create([], list(map(pods.of_job, found.values())))
            self._expected = {name: one.stored for name, one in zip(found, stored, strict=True)}
        return copy.deepcopy(self._expected.get(name))


@pytest.fixture(scope="session", params=Server.built())
def server(request: pytest.FixtureRequest) -> Server:
    """Each API server whose program is built."""
    return Server(str(request.param))


@pytest.fixture(scope="session", params=Release.built())
def release(request: pytest.FixtureRequest) -> Release:
    """Each release of Istio whose injector is built."""
    return Release(str(request.param))


@pytest.fixture(scope="session", params=list(FORMS))
def form(request: pytest.FixtureRequest) -> str:
    """Each form that the vectors know."""
    return str(request.param)


@pytest.fixture(scope="session")
def cluster(server: Server, form: str) -> Cluster:
    """That API server with the policy for that form."""
    return Cluster(server, form)
