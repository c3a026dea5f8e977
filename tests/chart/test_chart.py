"""The chart: the resources that it renders, and its notes."""

import os
import re
import tomllib
from pathlib import Path

import pytest
import yaml

from chart.programs import CHART, HERE, ROOT, Resource, helm, judge, lone, template
from chart.versions import has_traffic_extension

VALUES = sorted((HERE / "values").glob("*.yaml"))
VERSION = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]


def by_kind(*words: str | Path) -> dict[str, list[Resource]]:
    """The rendered resources."""
    found: dict[str, list[Resource]] = {}
    for document in template(*words).documents:
        found.setdefault(document["kind"], []).append(document)
    return found


def notes(*words: str | Path) -> str:
    """The notes that an install prints."""
    said = helm("install", "exeunt", CHART, "--namespace", "jobs", "--dry-run=client", *words)
    assert said.ok, said.err
    return said.out.split("NOTES:\n", 1)[1]


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_it_renders_what_it_did(values: Path) -> None:
    """EXEUNT_GOLDEN=write accepts what it renders now."""
    rendered = template("--values", values)
    assert rendered.ok, rendered.err
    golden = HERE / "golden" / values.name
    if os.environ.get("EXEUNT_GOLDEN") == "write":
        golden.write_text(rendered.out)
    assert rendered.out == golden.read_text()


@pytest.mark.parametrize("values", VALUES, ids=lambda path: path.stem)
def test_lint_is_content(values: Path) -> None:
    said = helm("lint", "--strict", "--values", values, CHART)
    assert said.ok, said.out + said.err


@pytest.mark.parametrize("values", [path for path in VALUES if path.stem != "templates-only"], ids=lambda path: path.stem)
def test_every_release_of_istio_takes_what_is_rendered(values: Path, version: str, definitions: Path) -> None:
    rendered = template("--values", values)
    said = judge(rendered.out, definitions)
    known = has_traffic_extension(version) or "kind: TrafficExtension" not in rendered.out
    assert said.ok is known, said.out


def test_every_golden_file_has_its_values() -> None:
    assert [path.name for path in sorted((HERE / "golden").glob("*"))] == [path.name for path in VALUES]


def test_the_defaults_are_those_of_the_manifests() -> None:
    (plugin,) = by_kind()["WasmPlugin"]
    assert plugin["spec"] == lone(ROOT / "wasmplugin.yaml")["spec"]
    (extension,) = by_kind("--set", "plugin.kind=TrafficExtension")["TrafficExtension"]
    assert extension["spec"] == lone(ROOT / "deploy" / "trafficextension.yaml")["spec"]
    for route, kind in (("serviceEntry", "ServiceEntry"), ("proxyConfig", "ProxyConfig")):
        (resource,) = by_kind("--set", f"route={route}")[kind]
        assert resource["spec"] == lone(ROOT / "deploy" / f"{kind.lower()}.yaml")["spec"]


def test_the_default_is_one_resource_in_the_release_s_namespace() -> None:
    ((plugin,),) = by_kind().values()
    assert (plugin["metadata"]["name"], plugin["metadata"]["namespace"]) == ("exeunt", "jobs")


def test_each_namespace_gets_its_own_resources() -> None:
    found = by_kind("--set", "namespaces={a,b}", "--set", "route=proxyConfig")
    assert {kind: [one["metadata"]["namespace"] for one in all_] for kind, all_ in found.items()} == {
        "WasmPlugin": ["a", "b"],
        "ProxyConfig": ["a", "b"],
    }


def test_another_signal_port_is_everywhere() -> None:
    for route in ("serviceEntry", "proxyConfig", "annotation"):
        words = ("--set", "plugin.config.signal.port=25190", "--set", f"route={route}")
        assert "15190" not in template(*words).out
        # 15190 is also the agent's user.
        assert "15190" not in notes(*words, "--set", "agent.uid=none")
        assert "--signal-port" in notes(*words)


def test_a_digest_outranks_the_tag() -> None:
    digest = "sha256:" + "0" * 64
    (plugin,) = by_kind("--set", f"plugin.image.digest={digest}", "--set", "plugin.image.tag=v1")["WasmPlugin"]
    assert plugin["spec"]["url"] == f"oci://ghcr.io/exeunt-dev/exeunt@{digest}"


def test_all_versions_are_one() -> None:
    chart = lone(CHART / "Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    texts = [path.read_text() for path in [ROOT / "wasmplugin.yaml", *(ROOT / "deploy").rglob("*.yaml")]]
    named = {
        version for text in texts for version in re.findall(r"ghcr\.io/exeunt-dev/(?:kubectl-)?exeunt(?:-agent)?:([\w.]+)", text)
    }
    assert named == {VERSION}
    assert f"\n{VERSION}\n" in (CHART / "templates" / "_names.tpl").read_text()


def test_the_notes_show_a_pod_that_is_like_the_sample() -> None:
    text = notes("--set", "plugin.image.digest=sha256:" + "0" * 64)
    shown = yaml.safe_load(re.search(r"(?ms)^  metadata:\n.*?^$", text)[0])  # type: ignore[index]
    sample = lone(ROOT / "deploy" / "samples" / "job.yaml")["spec"]["template"]
    assert shown["metadata"] == sample["metadata"]
    assert {name: sample["spec"][name] for name in shown["spec"]} == shown["spec"]
    assert "kubectl" in text
    assert "Use the digest" not in text


def test_the_notes_show_the_agent_s_user() -> None:
    for uid in (15190, 20001):
        assert f"runAsUser: {uid}\n" in notes("--set", f"agent.uid={uid}")
    assert "runAsUser" not in notes("--set", "agent.uid=none")


def test_the_notes_warn_of_a_tag_and_of_the_root_namespace() -> None:
    assert "Use the digest instead: --set plugin.image.digest=" in notes()
    assert "applies to the whole mesh" in notes("--set", "namespaces={istio-system}")
    assert "applies to the whole mesh" not in notes()


@pytest.mark.parametrize("module", ["configMap", "imageVolume"])
def test_the_notes_show_what_the_module_s_source_needs(module: str) -> None:
    text = notes("--set", f"plugin.source={module},plugin.configMap.create=false")
    shown = yaml.safe_load(re.search(r"(?ms)^  metadata:\n.*?^$", text)[0])  # type: ignore[index]
    assert "sidecar.istio.io/userVolume" in shown["metadata"]["annotations"]
    assert ("each namespace needs" in text, "containerd 2.1" in text) == (module == "configMap", module == "imageVolume")
    assert "Use the digest" not in text


def test_the_notes_show_the_container_of_the_values() -> None:
    words = (
        "--set",
        "agent.resources=null",
        "--set",
        "agent.arguments={--drain-timeout,10m}",
        "--set",
        "agent.image.pullPolicy=Always",
    )
    shown = yaml.safe_load(re.search(r"(?ms)^  metadata:\n.*?^$", notes(*words))[0])  # type: ignore[index]
    (agent,) = shown["spec"]["initContainers"]
    assert "resources" not in agent
    assert (agent["args"], agent["imagePullPolicy"]) == (["watch", "--drain-timeout", "10m"], "Always")


NEXT = {
    "istio": "kubectl -n jobs get configmap exeunt-istiod-values -o jsonpath=",
    "policy": "kubectl label namespace a exeunt.dev/drain=on",
    "kyverno": "kubectl label namespace a exeunt.dev/drain=on",
}


@pytest.mark.parametrize("inject", NEXT)
def test_the_notes_end_with_a_command_that_shows_that_it_works(inject: str) -> None:
    """The first of the namespaces that is not Istio's own: no Job runs there."""
    text = notes("--set", f"inject={inject}", "--set", "namespaces={istio-system,a,b}")
    assert NEXT[inject] in text
    assert "metadata:" not in text
    assert "kubectl -n a create job exeunt-check" in text
    assert "kubectl -n a logs job/exeunt-check -c exeunt" in text


@pytest.mark.parametrize("inject", NEXT)
def test_the_notes_say_that_pods_without_the_plugin_get_the_agent_too(inject: str) -> None:
    warning = "Pods of other namespaces get the agent, too, which then drains without the plugin."
    assert warning in notes("--set", f"inject={inject}")
    assert warning not in notes("--set", f"inject={inject},namespaces={{istio-system}}")
    assert warning not in notes()


@pytest.mark.parametrize("inject", NEXT)
def test_the_command_of_the_notes_labels_its_pod_if_only_labelled_pods_take_part(inject: str) -> None:
    text = notes("--set", f"inject={inject},pods.select=labelled,plugin.enabled=false")
    assert "create job" not in text
    assert "kubectl -n jobs run exeunt-check --image=docker.io/library/busybox:1.37 --labels=exeunt.dev/drain=on" in text


def test_the_notes_say_how_a_namespace_opts_out_where_all_take_part() -> None:
    text = notes("--set", "inject=policy,pods.namespaces=injected")
    assert "kubectl label namespace jobs exeunt.dev/drain=off" in text


@pytest.mark.parametrize(("route", "variable"), [("annotation", True), ("serviceEntry", False), ("proxyConfig", False)])
def test_the_notes_go_by_the_route(route: str, variable: bool) -> None:
    text = notes("--set", f"route={route}")
    assert ("ISTIO_META_HTTP_PROXY_PORT" in text) is variable
    assert 'sidecar.istio.io/nativeSidecar: "true"' in text
