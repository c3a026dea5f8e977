"""The plain manifests: API servers and the filter take them, and copies are equal to their originals."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chart.programs import HERE, MODULE, ROOT, Resource, judge, lone, run, template
from chart.versions import has_traffic_extension

DEPLOY = ROOT / "deploy"
PLUGIN = ROOT / "wasmplugin.yaml"
EXTENSION = DEPLOY / "trafficextension.yaml"


@pytest.mark.parametrize("path", [PLUGIN, DEPLOY / "serviceentry.yaml", DEPLOY / "proxyconfig.yaml"], ids=lambda path: path.stem)
def test_every_release_of_istio_takes_the_manifest(path: Path, definitions: Path) -> None:
    said = judge(path.read_text(), definitions)
    assert said.ok, said.out


def test_only_istio_1_30_and_newer_take_a_traffic_extension(version: str, definitions: Path) -> None:
    said = judge(EXTENSION.read_text(), definitions)
    assert said.ok is has_traffic_extension(version), said.out


def test_the_two_kinds_of_plugin_say_the_same() -> None:
    plugin, extension = lone(PLUGIN)["spec"], lone(EXTENSION)["spec"]
    assert extension | extension.pop("wasm") == plugin


@pytest.mark.parametrize("path", [PLUGIN, EXTENSION], ids=lambda path: path.stem)
def test_a_plugin_is_narrow_and_fails_open(path: Path) -> None:
    spec = lone(path)["spec"]
    module = spec.get("wasm", spec)
    assert spec["selector"] == {"matchLabels": {"exeunt.dev/drain": "on"}}
    assert spec["match"] == [{"mode": "CLIENT", "ports": [{"number": 15190}]}]
    assert spec["phase"] == "AUTHN"
    assert module["failStrategy"] == "FAIL_OPEN"
    assert module["pluginConfig"]["signal"]["port"] == 15190
    assert "sha256" not in module  # for an image it is the digest of the manifest, which belongs in the url


def test_the_service_entry_leads_to_its_own_address_alone() -> None:
    spec = lone(DEPLOY / "serviceentry.yaml")["spec"]
    # Without an endpoint of its own Envoy connects to whatever address was asked for, past REGISTRY_ONLY.
    assert (spec["resolution"], [one["address"] for one in spec["endpoints"]]) == ("STATIC", spec["addresses"])


@pytest.mark.parametrize(
    ("original", "copy"),
    [
        (PLUGIN, "base/wasmplugin.yaml"),
        (EXTENSION, "trafficextension/trafficextension.yaml"),
        (DEPLOY / "serviceentry.yaml", "components/serviceentry/serviceentry.yaml"),
        (DEPLOY / "proxyconfig.yaml", "components/proxyconfig/proxyconfig.yaml"),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_what_kustomize_reads_is_a_copy(original: Path, copy: str) -> None:
    assert lone(DEPLOY / "kustomize" / copy) == lone(original)


def configurations() -> dict[str, Resource]:
    """Every plugin configuration in a manifest or rendered by the chart, by its origin."""
    found = {path.stem: lone(path)["spec"].get("wasm", lone(path)["spec"])["pluginConfig"] for path in (PLUGIN, EXTENSION)}
    for values in sorted((HERE / "values").glob("*.yaml")):
        for resource in template("--values", values).documents:
            spec = resource.get("spec", {})
            spec = spec.get("wasm", spec)
            if "pluginConfig" in spec:
                found[f"chart with {values.stem}"] = spec["pluginConfig"]
    return found


Ask = Callable[[list[Any]], list[list[str]]]


@pytest.fixture
def filter_says() -> Ask:
    """Asks the built filter about configurations. Skipped without Node.js."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is missing: the filter cannot be asked")
    assert MODULE.exists(), f"{MODULE} is missing: ./build.sh wasm"

    def ask(configurations: list[object]) -> list[list[str]]:
        said = run(node, HERE / "filter.mjs", text=json.dumps(configurations))
        assert said.ok, said.err
        answers: list[list[str]] = json.loads(said.out)
        return answers

    return ask


def test_the_filter_takes_every_configuration_and_its_defaults_are_shown(filter_says: Ask) -> None:
    found = configurations()
    assert dict(zip(found, filter_says(list(found.values())), strict=True)) == {name: [] for name in found}
    # The error for an unknown field lists the known fields: the manifests show all of them.
    [[mistake]] = filter_says([{"nothing": 1}])
    known = mistake.rsplit("must be one of ", 1)[1].split(", ")
    assert sorted(lone(PLUGIN)["spec"]["pluginConfig"]) == sorted(known)


def test_the_chart_lets_no_duration_through_that_the_filter_refuses(filter_says: Ask) -> None:
    schema = json.loads((DEPLOY / "chart" / "values.schema.json").read_text())
    numbers = [0, 1, 2, 9, 10, 11, 23, 24, 25, 59, 60, 99, 100, 999, 1000, 9999, 10000, 99999, 9999999]
    texts = [f"{number}{unit}" for number in numbers for unit in ("", "ms", "s", "m", "h", "d")]
    texts += [f"{first}{second}" for first in ("1h", "23h", "24h", "999m") for second in ("0s", "1s", "59s", "60s", "59m", "60m")]
    pattern = {"drainTimeout": schema["definitions"]["timeout"]["pattern"]}
    pattern["settle"] = schema["properties"]["plugin"]["properties"]["config"]["properties"]["settle"]["pattern"]
    for field, allowed in pattern.items():
        matching = [text for text in texts if re.search(allowed, text)]
        assert len(matching) > 10
        refused = filter_says([{field: text} for text in matching])
        assert [text for text, mistakes in zip(matching, refused, strict=True) if mistakes] == []
