"""The ServiceEntry opens no way past REGISTRY_ONLY: on a real Envoy, with the cluster that Istio makes of it; needs root."""

from collections.abc import Iterator

import pytest
import yaml

from harness.client import Answer, ask
from harness.paths import ROOT
from harness.pod import SIGNAL_PORT, Pod
from harness.podnet import OUTSIDE
from harness.scene import MakeScene, Scene
from harness.sidecar import SERVICE_ENTRY, Sidecar
from harness.upstream import Upstream

# The host name of the ServiceEntry, and one that no service has.
REGISTERED, UNKNOWN = "exeunt.internal", "unknown.example"
# Envoy's own answers: no connection to the endpoint, and a destination that REGISTRY_ONLY does not allow.
NO_CONNECTION, NOT_ALLOWED = 503, 502


def test_the_recorded_cluster_has_the_endpoint_of_the_manifest() -> None:
    spec = yaml.safe_load((ROOT / "deploy" / "serviceentry.yaml").read_text())["spec"]
    assert Sidecar(SERVICE_ENTRY).service_entry_endpoint() == (spec["endpoints"][0]["address"], spec["ports"][0]["number"])


@pytest.fixture
def scene(make_scene: MakeScene, pod: Pod, version: str) -> Scene:
    """A pod in which only registered destinations are allowed; its first router refuses, so that no test waits."""
    pod.refuse_outside(4)
    scene = make_scene(version=version, route=SERVICE_ENTRY, pod=pod)
    scene.sidecar.registry_only()
    return scene


@pytest.fixture
def server(scene: Scene, pod: Pod) -> Iterator[Upstream]:
    """A server that nobody has registered, on the port of the signal."""
    with Upstream(scene.folder, mode="http", network=pod.outside, host=OUTSIDE, port=SIGNAL_PORT) as server:
        yield server


def ask_server(scene: Scene, host: str) -> Answer:
    return ask((OUTSIDE, SIGNAL_PORT), "POST", "/v1/complete", {"host": host}, b"secret", network=scene.network)


def was_asked(server: Upstream) -> bool:
    return any(report["event"] == "request" for report in server.reports)


@pytest.mark.parametrize("plugin", [True, False], ids=["with_the_filter", "without_the_filter"])
def test_the_host_name_leads_to_no_other_address(scene: Scene, server: Upstream, plugin: bool) -> None:
    if not plugin:
        scene.sidecar.without_plugin()
    scene.envoy()
    assert ask_server(scene, UNKNOWN).status == NOT_ALLOWED
    assert ask_server(scene, REGISTERED).status == NO_CONNECTION
    assert not was_asked(server)


def test_without_an_endpoint_the_host_name_leads_to_any_address(scene: Scene, server: Upstream) -> None:
    """The control of the test above, and the reason for the endpoint."""
    scene.sidecar.service_entry_without_resolution()
    scene.envoy()
    assert ask_server(scene, UNKNOWN).status == NOT_ALLOWED
    answer = ask_server(scene, REGISTERED)
    assert (answer.status, answer.body[-6:]) == (200, b"secret")
    assert server.report("request")["path"] == "/v1/complete"


def test_a_signal_leaves_no_pod_without_the_filter(scene: Scene, server: Upstream) -> None:
    scene.sidecar.without_plugin()
    scene.envoy()
    assert scene.complete().status == NO_CONNECTION
    assert not was_asked(server)
