"""What the cluster can do, and the values for the chart."""

from typing import Any

import pytest

from cluster import capabilities
from cluster.install import chart_values, exeunt
from cluster.options import Options


@pytest.mark.parametrize(
    ("init", "regular", "form"),
    [
        (["istio-init"], ["base", "istio-proxy"], "classic"),
        (["istio-init"], ["istio-proxy", "base"], "hold"),
        (["istio-init", "istio-proxy"], ["base"], "native"),
        ([], ["base"], "none"),
    ],
)
def test_the_position_of_a_proxy_shows_its_form(init: list[str], regular: list[str], form: str) -> None:
    spec = {"initContainers": [{"name": name} for name in init], "containers": [{"name": name} for name in regular]}
    assert capabilities.form_of({"spec": spec}) == form


def test_envoys_version_is_the_number_in_its_build_string() -> None:
    assert capabilities.envoy_version("5f0b1c/1.37.0/Clean/RELEASE/BoringSSL") == "1.37.0"
    assert capabilities.envoy_version("5f0b1c/1.36.2-dev/Modified/RELEASE/BoringSSL") == "1.36.2-dev"
    assert capabilities.envoy_version("") == "unknown"


@pytest.mark.parametrize(
    ("url", "values"),
    [
        ("oci://r.example:5000/a/exeunt:0.1.0", ["repository=r.example:5000/a/exeunt", "tag=0.1.0"]),
        ("oci://r.example/exeunt@sha256:ab", ["repository=r.example/exeunt", "digest=sha256:ab"]),
        ("oci://r.example:5000/exeunt", ["repository=r.example:5000/exeunt"]),
    ],
)
def test_the_address_of_a_plugin_becomes_values_of_the_chart(url: str, values: list[str]) -> None:
    assert chart_values(url) == [f"plugin.image.{value}" for value in values]


@pytest.mark.parametrize(
    ("text", "release"), [("6.18.44-fc-v669", (6, 18, 44)), ("5.15-azure", (5, 15, 0)), ("", (0, 0, 0)), ("unknown", (0, 0, 0))]
)
def test_the_release_of_a_kernel_is_read_from_its_version(text: str, release: tuple[int, int, int]) -> None:
    assert capabilities.kernel_of(text) == release


class Created:
    """An API server that keeps what is created."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []

    def create(self, _namespace: str, body: dict[str, Any]) -> None:
        """As in `Kube`."""
        self.bodies.append(body)


def test_each_label_selects_one_plugin_with_its_own_limits() -> None:
    kube: Any = Created()
    exeunt(kube, Options(plugin_url="oci://r.example/exeunt", namespace="own"))
    plugins = {
        body["spec"]["selector"]["matchLabels"]["exeunt.dev/drain"]: body["spec"]
        for body in kube.bodies
        if body["kind"] == "WasmPlugin"
    }
    assert set(plugins) == {"on", "broken", "silent", "patient", "hasty"}
    assert {label for label, spec in plugins.items() if spec["url"] == "oci://r.example/exeunt"} == {"on", "patient", "hasty"}
    assert (plugins["on"]["pluginConfig"]["stallTimeout"], plugins["patient"]["pluginConfig"]["stallTimeout"]) == ("15s", "40s")
    assert (plugins["on"]["pluginConfig"]["drainTimeout"], plugins["hasty"]["pluginConfig"]["drainTimeout"]) == ("5m", "5s")


@pytest.mark.parametrize(
    ("version", "release"), [("v1.29.14", (1, 29)), ("v1.36.0-gke.1", (1, 36)), ("v1.33+", (1, 33)), ("unknown", (0, 0))]
)
def test_the_release_is_read_from_the_full_version(version: str, release: tuple[int, int]) -> None:
    assert capabilities.release_of({"major": "", "minor": "", "gitVersion": version}) == release
