"""The chart and the manifest of the module, as a release packs them."""

import base64
import subprocess
from pathlib import Path

import pytest

from chart.programs import CHART, MODULE, ROOT, Resource, judge, lone, template

# The part of ./build.sh release that needs nothing compiled.
_PACK = 'ROOT=$PWD CACHE=$PWD/.cache; . build/release.sh; pack_chart "$@"'


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both."""
    folder = tmp_path_factory.mktemp("release")
    words = ["bash", "-euo", "pipefail", "-c", _PACK, "pack", str(MODULE), str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True, timeout=60)
    return folder


def data_of(config_map: Resource) -> dict[str, bytes]:
    """The files in a ConfigMap."""
    assert (config_map["kind"], config_map["metadata"]["name"]) == ("ConfigMap", "exeunt-module")
    return {name: base64.b64decode(text) for name, text in config_map["binaryData"].items()}


def test_the_published_chart_has_the_module(release: Path) -> None:
    (chart,) = release.glob("exeunt-*.tgz")
    found = [one for one in template("--set", "plugin.source=configMap", chart=chart).documents if one["kind"] == "ConfigMap"]
    assert [data_of(one) for one in found] == [{"plugin.wasm": MODULE.read_bytes()}]
    # And is else the chart of the checkout.
    assert template("--set", "inject=istio", chart=chart).out == template("--set", "inject=istio", chart=CHART).out


def test_the_manifest_is_the_module_s_config_map_for_any_namespace(release: Path) -> None:
    (file,) = release.glob("exeunt-module-*.yaml")
    manifest = lone(file)
    assert data_of(manifest) == {"plugin.wasm": MODULE.read_bytes()}
    assert "namespace" not in manifest["metadata"]
    assert judge(file.read_text()).ok


def test_nothing_else_is_left(release: Path) -> None:
    version = lone(CHART / "Chart.yaml")["version"]
    assert sorted(path.name for path in release.iterdir()) == [f"exeunt-{version}.tgz", f"exeunt-module-{version}.yaml"]
