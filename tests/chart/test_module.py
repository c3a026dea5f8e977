"""Where istio-proxy has the module from: the registry, a ConfigMap, or the agent's image as a volume."""

import base64
import gzip
import json
import shutil
from pathlib import Path

import pytest

from chart.fake_cluster import Nodes, cluster
from chart.programs import CHART, MODULE, Resource, Said, helm, judge, template

FILE = "file:///etc/exeunt/plugin.wasm"
# What Kubernetes allows in all fields of a Secret, in which Helm keeps a release.
MOST_BYTES = 1024 * 1024


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart with the module in it, as a release packs it."""
    folder = tmp_path_factory.mktemp("packed") / "chart"
    shutil.copytree(CHART, folder)
    shutil.copyfile(MODULE, folder / "plugin.wasm")
    return folder


def bare(folder: Path) -> Path:
    """The chart of a checkout, in which nobody has put the module."""
    shutil.copytree(CHART, folder / "chart", ignore=shutil.ignore_patterns("plugin.wasm"))
    return folder / "chart"


def of_kind(said: Said, kind: str) -> list[Resource]:
    """The rendered resources of a kind."""
    return [one for one in said.documents if one["kind"] == kind]


def many(number: int) -> str:
    """A setting of so many namespaces."""
    return f"namespaces={{{','.join(f'jobs-{one}' for one in range(number))}}}"


@pytest.mark.parametrize("kind", ["WasmPlugin", "TrafficExtension"])
@pytest.mark.parametrize(
    ("source", "url"), [("oci", "oci://ghcr.io/exeunt-dev/exeunt:0.1.0"), ("configMap", FILE), ("imageVolume", FILE)]
)
def test_the_plugin_names_the_source_of_the_module(source: str, url: str, kind: str, packed: Path, newest: Path) -> None:
    said = template("--set", f"plugin.source={source},plugin.kind={kind},plugin.image.pullSecret=registry", chart=packed)
    (plugin,) = of_kind(said, kind)
    module = plugin["spec"].get("wasm", plugin["spec"])
    assert module["url"] == url
    # Istio pulls only by oci.
    assert {"imagePullPolicy", "imagePullSecret"} & set(module) == (
        {"imagePullPolicy", "imagePullSecret"} if source == "oci" else set()
    )
    assert judge(said.out, newest).ok


def test_each_namespace_has_the_module_byte_for_byte(packed: Path, newest: Path) -> None:
    said = template("--set", "plugin.source=configMap,namespaces={a,b}", chart=packed)
    found = of_kind(said, "ConfigMap")
    assert [(one["metadata"]["name"], one["metadata"]["namespace"]) for one in found] == [
        ("exeunt-module", "a"),
        ("exeunt-module", "b"),
    ]
    for one in found:
        assert base64.b64decode(one["binaryData"]["plugin.wasm"]) == MODULE.read_bytes()
    judged = judge(said.out, newest)
    assert judged.ok, judged.out


@pytest.mark.parametrize(
    "settings", ["plugin.source=oci", "plugin.source=imageVolume", "plugin.source=configMap,plugin.configMap.create=false"]
)
def test_there_is_no_config_map_where_nobody_wants_one(settings: str, tmp_path: Path) -> None:
    assert of_kind(template("--set", settings, chart=bare(tmp_path)), "ConfigMap") == []


def test_kyverno_copies_the_module_from_the_release_s_namespace(packed: Path) -> None:
    said = template("--set", f"plugin.source=configMap,inject=kyverno,{many(9)}", chart=packed)
    assert [one["metadata"]["namespace"] for one in of_kind(said, "ConfigMap")] == ["jobs"]
    assert len(of_kind(said, "WasmPlugin")) == 9


def test_a_checkout_without_the_module_says_how_to_put_it_in(tmp_path: Path) -> None:
    chart = bare(tmp_path)
    said = template("--set", "plugin.source=configMap", chart=chart)
    assert not said.ok
    command = "./build.sh wasm && cp target/exeunt.wasm deploy/chart/plugin.wasm"
    assert command in said.err
    shutil.copyfile(MODULE, chart / "plugin.wasm")
    assert template("--set", "plugin.source=configMap", chart=chart).ok


def test_helm_can_keep_a_release_with_as_many_copies_as_are_allowed(packed: Path) -> None:
    sizes = [_kept(packed, "--set", f"plugin.source=configMap,inject=istio,{many(number)}") for number in (5, 6)]
    assert sizes[1] < MOST_BYTES
    # With one more it could not.
    assert sizes[1] + (sizes[1] - sizes[0]) > MOST_BYTES
    refused = template("--set", f"plugin.source=configMap,{many(7)}", chart=packed)
    assert not refused.ok
    assert "namespaces: 7 are not allowed with plugin.source configMap: must be at most 6" in refused.err
    # Without the copies there is room.
    assert template("--set", f"plugin.source=configMap,plugin.configMap.create=false,{many(200)}", chart=packed).ok


def _kept(chart: Path, *words: str) -> int:
    """The bytes of a release in its Secret: JSON, compressed, in base64."""
    said = helm("install", "exeunt", chart, "--namespace", "jobs", "--dry-run=client", "--output", "json", *words)
    assert said.ok, said.err
    release = json.loads(said.out)
    assert release["chart"]["files"], "the chart itself is kept, too"
    text = json.dumps(release, separators=(",", ":"), ensure_ascii=False).encode()
    return len(base64.b64encode(gzip.compress(text, 9)))


@pytest.mark.parametrize(
    ("version", "taken"), [("1.34.9", False), ("1.34.3-eks-1", False), ("1.35.0", True), ("1.35.1-gke.1", True)]
)
@pytest.mark.parametrize("settings", ["plugin.enabled=true", "plugin.enabled=false,inject=istio"])
def test_image_volumes_need_kubernetes_1_35(version: str, taken: bool, settings: str) -> None:
    said = template("--set", f"plugin.source=imageVolume,{settings}", "--kube-version", version)
    assert said.ok is taken, said.err
    words = f"plugin.source: imageVolume is not allowed with Kubernetes v{version}: must be oci or configMap"
    assert (words in said.err) is not taken


@pytest.mark.parametrize(
    ("runtimes", "taken"),
    [
        (("containerd://2.1.0", "containerd://2.2.0-rc.1"), True),
        (("containerd://2.2.0", "containerd://1.6.20~ds1"), False),
        (("containerd://2.0.5",), False),
        # It has had them for longer.
        (("cri-o://1.33.1",), True),
    ],
)
def test_no_node_may_have_a_containerd_that_cannot_mount_images(tmp_path: Path, runtimes: tuple[str, ...], taken: bool) -> None:
    nodes = Nodes("v1.36.0", runtimes)
    with cluster(tmp_path, [], ["WasmPlugin"], nodes=nodes) as kubeconfig:
        words = (
            "--dry-run=server",
            "--disable-openapi-validation",
            "--kubeconfig",
            kubeconfig,
            "--set",
            "plugin.source=imageVolume",
        )
        said = template(*words)
        assert said.ok is taken, said.err
        assert (f"the node node-{len(runtimes) - 1} has containerd" in said.err) is not taken
        assert template(*words, "--set", "guard.enabled=false").ok


@pytest.mark.parametrize(("inject", "source"), [("istio", "imageVolume"), ("policy", "configMap"), ("kyverno", "configMap")])
def test_lint_is_content_with_each_way(inject: str, source: str, packed: Path) -> None:
    said = helm("lint", "--strict", packed, "--set", f"inject={inject},plugin.source={source}")
    assert said.ok, said.out + said.err
