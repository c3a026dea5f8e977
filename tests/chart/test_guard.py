"""Two installs, whose filters would be on one listener."""

from pathlib import Path

import pytest

from chart.fake_cluster import cluster, plugin
from chart.programs import Resource, Said, template

BOTH = ["WasmPlugin", "TrafficExtension"]


def install(folder: Path, plugins: list[Resource], *words: str, kinds: list[str] = BOTH, forbidden: str = "") -> Said:
    """Renders the release exeunt in the namespace jobs as an install does, with a cluster that has these plugins."""
    with cluster(folder, plugins, kinds, forbidden) as kubeconfig:
        # The stand-in has no OpenAPI document; tests/chart/tools/judge looks at what is rendered more strictly.
        return template("--dry-run=server", "--disable-openapi-validation", "--kubeconfig", kubeconfig, *words)


@pytest.mark.parametrize(
    ("found", "owner"),
    [
        (plugin("WasmPlugin", "exeunt", "jobs"), "no release of Helm's"),
        (plugin("WasmPlugin", "exeunt", "jobs", "other"), "the release other of the namespace jobs"),
        (plugin("WasmPlugin", "exeunt", "jobs", "exeunt", "elsewhere"), "the release exeunt of the namespace elsewhere"),
        (plugin("TrafficExtension", "exeunt", "jobs", "other"), "the release other of the namespace jobs"),
        # Another name, but the same pods.
        (plugin("WasmPlugin", "drain", "jobs", "other"), "the release other of the namespace jobs"),
    ],
)
def test_a_plugin_that_is_there_already_is_named_and_the_install_refused(tmp_path: Path, found: Resource, owner: str) -> None:
    said = install(tmp_path, [found])
    assert not said.ok
    assert said.out == ""
    what = f"{found['kind']} {found['metadata']['name']} in the namespace jobs"
    assert f"{what} is a plugin of exeunt's already, and belongs to {owner}." in said.err


@pytest.mark.parametrize(
    "found",
    [
        plugin("WasmPlugin", "exeunt", "jobs", "exeunt"),
        # The same release, about to change its kind.
        plugin("TrafficExtension", "exeunt", "jobs", "exeunt"),
        plugin("WasmPlugin", "exeunt", "elsewhere", "other"),
        plugin("WasmPlugin", "rate-limit", "jobs", "other", selects=False),
    ],
)
def test_its_own_plugin_and_those_of_others_are_no_reason_to_refuse(tmp_path: Path, found: Resource) -> None:
    said = install(tmp_path, [found])
    assert said.ok, said.err


def test_istio_without_traffic_extensions_is_not_asked_for_them(tmp_path: Path) -> None:
    said = install(tmp_path, [], kinds=["WasmPlugin"])
    assert said.ok, said.err


def test_every_namespace_of_the_release_is_looked_at(tmp_path: Path) -> None:
    said = install(tmp_path, [plugin("WasmPlugin", "exeunt", "b")], "--set", "namespaces={a,b}")
    assert "in the namespace b is a plugin of exeunt's already" in said.err


def test_further_namespaces_are_looked_at_when_named(tmp_path: Path) -> None:
    root = [plugin("WasmPlugin", "exeunt", "istio-system")]
    assert install(tmp_path, root).ok
    said = install(tmp_path, root, "--set", "guard.namespaces={istio-system}")
    assert "in the namespace istio-system is a plugin of exeunt's already" in said.err


def test_whoever_may_not_look_is_told_and_can_go_without(tmp_path: Path) -> None:
    said = install(tmp_path, [], forbidden="jobs")
    assert not said.ok
    assert "forbidden" in said.err
    assert install(tmp_path, [], "--set", "guard.enabled=false", forbidden="jobs").ok


def test_without_a_cluster_nothing_is_refused() -> None:
    assert template().ok
