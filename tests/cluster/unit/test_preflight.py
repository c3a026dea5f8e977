"""What must hold before anything is played."""

from typing import Any

import pytest

from cluster import preflight
from cluster.install import chart_values
from cluster.trouble import Refused, Trouble

Json = dict[str, Any]


class Api:
    """The API server's part in these tests: what it serves, and what it allows."""

    server = "https://cluster.example"

    def __init__(
        self, *, denied: set[tuple[str, str]] | None = None, served: tuple[str, ...] = ("wasmplugins", "serviceentries")
    ) -> None:
        self.denied = denied or set()
        self.served = served
        self.asked: list[Json] = []

    def get(self, path: str) -> Json:
        """Its version, or what a group has."""
        if path == "/version":
            return {"major": "1", "minor": "36+", "gitVersion": "v1.36.0"}
        if not self.served:
            raise Refused(404, "the server could not find the requested resource")
        return {"resources": [{"name": name} for name in self.served]}

    def create(self, _namespace: str, body: Json) -> Json:
        """The answer to a review."""
        attributes = body["spec"]["resourceAttributes"]
        self.asked.append(attributes)
        return {"status": {"allowed": (attributes["verb"], attributes["resource"]) not in self.denied}}


class Down(Api):
    """One that says no to everything."""

    def __init__(self, refused: Refused) -> None:
        super().__init__()
        self.refused = refused

    def get(self, _path: str) -> Json:
        """Nothing."""
        raise self.refused


def lines(api: Api) -> tuple[str, ...]:
    with pytest.raises(Trouble) as raised:
        preflight.before(api, "own")  # type: ignore[arg-type]
    return raised.value.lines


def test_a_cluster_with_everything_tells_its_version() -> None:
    assert preflight.before(Api(), "own")["gitVersion"] == "v1.36.0"  # type: ignore[arg-type]


def test_all_missing_rights_are_named_at_once() -> None:
    api = Api(denied={("create", "jobs"), ("create", "namespaces"), ("get", "pods"), ("create", "wasmplugins")})
    assert lines(api) == (
        "no right to create namespaces",
        "no right to get pods in namespace own",
        "no right to get pods/log in namespace own",
        "no right to create jobs.batch in namespace own",
        "no right to create wasmplugins.extensions.istio.io in namespace own",
    )


def test_rights_are_asked_for_in_the_runs_own_namespace() -> None:
    api = Api()
    preflight.before(api, "own")  # type: ignore[arg-type]
    assert {one.get("namespace") for one in api.asked if one["resource"] != "namespaces"} == {"own"}


def test_a_cluster_without_istio_says_which_kinds_are_missing() -> None:
    assert [line.split(";")[0] for line in lines(Api(served=("pods",)))] == [
        "no Istio: https://cluster.example has no WasmPlugin in extensions.istio.io/v1alpha1",
        "no Istio: https://cluster.example has no ServiceEntry in networking.istio.io/v1beta1",
    ]
    assert len(lines(Api(served=()))) == 2


def test_no_cluster_and_bad_credentials_are_told_apart() -> None:
    assert lines(Down(Refused(0, "https://cluster.example does not answer: refused")))[0].startswith("no cluster: https://")
    assert "does not accept the credentials" in lines(Down(Refused(401, "Unauthorized")))[0]


@pytest.mark.parametrize(
    ("init", "regular", "form"),
    [
        (["istio-init"], ["base", "istio-proxy"], "classic"),
        (["istio-init"], ["istio-proxy", "base"], "hold"),
        (["istio-init", "istio-proxy"], ["base"], "native"),
        ([], ["base"], "none"),
    ],
)
def test_the_form_of_a_proxy_is_told_by_where_it_is(init: list[str], regular: list[str], form: str) -> None:
    spec = {"initContainers": [{"name": name} for name in init], "containers": [{"name": name} for name in regular]}
    assert preflight.form_of({"spec": spec}) == form


def test_envoys_version_is_the_number_in_what_it_says() -> None:
    assert preflight.envoy_version("5f0b1c/1.37.0/Clean/RELEASE/BoringSSL") == "1.37.0"
    assert preflight.envoy_version("5f0b1c/1.36.2-dev/Modified/RELEASE/BoringSSL") == "1.36.2-dev"
    assert preflight.envoy_version("") == "unknown"


@pytest.mark.parametrize(
    ("url", "values"),
    [
        ("oci://r.example:5000/a/exeunt:0.1.0", ["repository=r.example:5000/a/exeunt", "tag=0.1.0"]),
        ("oci://r.example/exeunt@sha256:ab", ["repository=r.example/exeunt", "digest=sha256:ab"]),
        ("oci://r.example:5000/exeunt", ["repository=r.example:5000/exeunt"]),
    ],
)
def test_a_plugins_address_becomes_the_charts_values(url: str, values: list[str]) -> None:
    assert chart_values(url) == [f"plugin.image.{value}" for value in values]


@pytest.mark.parametrize(
    ("version", "release"), [("v1.29.14", (1, 29)), ("v1.36.0-gke.1", (1, 36)), ("v1.33+", (1, 33)), ("unknown", (0, 0))]
)
def test_the_release_is_read_from_the_full_version(version: str, release: tuple[int, int]) -> None:
    assert preflight.release_of({"major": "", "minor": "", "gitVersion": version}) == release
