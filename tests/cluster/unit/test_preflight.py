"""The checks before a run."""

from typing import Any

import pytest

from cluster import preflight
from cluster.errors import Refused, RunError

Json = dict[str, Any]


class Api:
    """A stand-in for the API server: what it serves, and which rights it denies."""

    server = "https://cluster.example"

    def __init__(
        self, *, denied: set[tuple[str, str]] | None = None, served: tuple[str, ...] = ("wasmplugins", "serviceentries")
    ) -> None:
        self.denied = denied or set()
        self.served = served
        self.asked: list[Json] = []

    def get(self, path: str) -> Json:
        """The version, or the resources of a group."""
        if path == "/version":
            return {"major": "1", "minor": "36+", "gitVersion": "v1.36.0"}
        if not self.served:
            raise Refused(404, "the server could not find the requested resource")
        return {"resources": [{"name": name} for name in self.served]}

    def create(self, _namespace: str, body: Json) -> Json:
        """The answer to a review of rights."""
        attributes = body["spec"]["resourceAttributes"]
        self.asked.append(attributes)
        return {"status": {"allowed": (attributes["verb"], attributes["resource"]) not in self.denied}}


class Down(Api):
    """An API server that refuses everything."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self.refused = refused

    def get(self, _path: str) -> Json:
        """Refuses."""
        raise self.refused


def lines(api: Api) -> tuple[str, ...]:
    with pytest.raises(RunError) as raised:
        preflight.check(api, "own")  # type: ignore[arg-type]
    return raised.value.lines


def test_for_a_complete_cluster_the_version_is_returned() -> None:
    assert preflight.check(Api(), "own")["gitVersion"] == "v1.36.0"  # type: ignore[arg-type]


def test_all_missing_rights_are_named_at_once() -> None:
    api = Api(denied={("create", "jobs"), ("create", "namespaces"), ("get", "pods"), ("create", "wasmplugins")})
    assert lines(api) == (
        "no right to create namespaces",
        "no right to get pods in namespace own",
        "no right to get pods/log in namespace own",
        "no right to create jobs.batch in namespace own",
        "no right to create wasmplugins.extensions.istio.io in namespace own",
    )


def test_a_load_needs_further_rights() -> None:
    api = Api(denied={("create", "daemonsets")})
    preflight.check(api, "own")  # type: ignore[arg-type]
    with pytest.raises(RunError, match=r"no right to create daemonsets.apps in namespace own"):
        preflight.check(api, "own", preflight.LOAD_RIGHTS)  # type: ignore[arg-type]


def test_rights_are_checked_in_the_runs_own_namespace() -> None:
    api = Api()
    preflight.check(api, "own")  # type: ignore[arg-type]
    assert {one.get("namespace") for one in api.asked if one["resource"] != "namespaces"} == {"own"}


def test_a_cluster_without_istio_says_which_kinds_are_missing() -> None:
    assert [line.split(";")[0] for line in lines(Api(served=("pods",)))] == [
        "no Istio: https://cluster.example has no WasmPlugin in extensions.istio.io/v1alpha1",
        "no Istio: https://cluster.example has no ServiceEntry in networking.istio.io/v1beta1",
    ]
    assert len(lines(Api(served=()))) == 2


def test_no_cluster_and_bad_credentials_have_different_messages() -> None:
    assert lines(Down(Refused(0, "https://cluster.example does not answer: refused")))[0].startswith("no cluster: https://")
    assert "does not accept the credentials" in lines(Down(Refused(401, "Unauthorized")))[0]
