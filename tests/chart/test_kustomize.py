"""The kustomize base and components, with Jobs of a user's own."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from chart.programs import HERE, ROOT, Resource, Said, judge, kustomize, lone

KUSTOMIZE = ROOT / "deploy" / "kustomize"
COMPONENTS = sorted(path.name for path in (KUSTOMIZE / "components").iterdir())


Build = Callable[..., Said]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds the Jobs of the fixture with the base, components and `more` of a kustomization."""

    def build(*components: str, more: str = "", base: str = "base") -> Said:
        # A relative path, because kustomize takes no absolute paths.
        here = Path(*[".."] * len(tmp_path.resolve().parts[1:])) / KUSTOMIZE.relative_to("/")
        (tmp_path / "jobs.yaml").write_text((HERE / "overlay" / "jobs.yaml").read_text())
        used = ", ".join(f"{here}/components/{component}" for component in components)
        (tmp_path / "kustomization.yaml").write_text(
            f"namespace: jobs\nresources: [{here}/{base}, jobs.yaml]\ncomponents: [{used}]\n{more}"
        )
        return kustomize(tmp_path)

    return build


def by_name(said: Said) -> dict[str, Resource]:
    """The resources that were built."""
    return {f"{one['kind']}/{one['metadata']['name']}": one for one in said.documents}


def pod(resource: Resource) -> Resource:
    """The pod template of a Job or CronJob."""
    spec = resource["spec"]
    template: Resource = spec.get("jobTemplate", resource)["spec"]["template"]
    return template


def sample(name: str) -> Resource:
    """The spec of the pod of a sample."""
    spec: Resource = lone(ROOT / "deploy" / "samples" / name)["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("component", COMPONENTS)
def test_an_api_server_takes_what_a_component_makes(component: str, build: Build, newest: Path) -> None:
    built = build(component)
    assert built.ok, built.err
    said = judge(built.out, newest)
    assert said.ok, said.out


def test_the_overlay_of_the_documents_builds(newest: Path) -> None:
    built = kustomize(HERE / "overlay")
    assert judge(built.out, newest).ok, built.err


def test_the_base_and_its_other_form_are_the_manifests() -> None:
    (plugin,) = kustomize(KUSTOMIZE / "base").documents
    assert plugin == lone(ROOT / "wasmplugin.yaml")
    (extension,) = kustomize(KUSTOMIZE / "trafficextension").documents
    assert extension == lone(ROOT / "deploy" / "trafficextension.yaml")


@pytest.mark.parametrize(
    ("form", "place"), [("native", "initContainers"), ("classic", "initContainers"), ("regular", "containers")]
)
def test_the_agent_is_the_first_of_its_list(form: str, place: str, build: Build) -> None:
    built = by_name(build(f"agent-{form}"))
    for name in ("Job/with-init", "CronJob/retried"):
        spec = pod(built[name])["spec"]
        before = [one["name"] for one in pod(by_name(build("annotation"))[name])["spec"].get(place, [])]
        assert [one["name"] for one in spec[place]] == ["exeunt", *before]
        assert (spec[place][0].get("restartPolicy") == "Always") is (form != "regular")


@pytest.mark.parametrize("form", ["native", "classic", "regular"])
def test_only_an_agent_that_watches_processes_shares_them(form: str, build: Build) -> None:
    built = by_name(build(f"agent-{form}"))
    for name in ("Job/with-init", "CronJob/retried"):
        spec = pod(built[name])["spec"]
        assert ("shareProcessNamespace" in spec, "volumes" in spec) == ((False, False) if form == "native" else (True, True))


@pytest.mark.parametrize("form", ["native", "classic", "regular"])
def test_only_one_component_makes_the_proxy_native(form: str, build: Build) -> None:
    """The others leave its form to the mesh. An annotation of the user's own stays."""
    built = by_name(build(f"agent-{form}"))
    for name in ("Job/with-init", "CronJob/retried"):
        annotations = pod(built[name])["metadata"]["annotations"]
        assert annotations.get("sidecar.istio.io/nativeSidecar") == ("true" if form == "native" else None)
        assert annotations["kubectl.kubernetes.io/default-container"] == "main"


@pytest.mark.parametrize(("form", "place"), [("classic", "initContainers"), ("regular", "containers")])
def test_the_agent_is_told_by_annotations_what_kustomize_cannot_know(form: str, place: str, build: Build) -> None:
    agent = pod(by_name(build(f"agent-{form}"))["CronJob/retried"])["spec"][place][0]
    told = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in agent["env"]}
    assert told == {
        "EXEUNT_CONTAINER": "metadata.annotations['exeunt.dev/container']",
        "EXEUNT_RESTART_POLICY": "metadata.annotations['exeunt.dev/restart-policy']",
        "EXEUNT_RESTART_RULES": "metadata.annotations['exeunt.dev/restart-rules']",
        "EXEUNT_ISTIO_STATUS": "metadata.annotations['sidecar.istio.io/status']",
    }


def test_the_agent_is_that_of_the_sample(build: Build) -> None:
    agent = pod(by_name(build("agent-native"))["Job/with-init"])["spec"]["initContainers"][0]
    assert agent == sample("job.yaml")["initContainers"][0]


@pytest.mark.parametrize(("form", "place"), [("classic", "initContainers"), ("regular", "containers")])
def test_the_agent_is_that_of_the_sample_but_for_its_arguments(form: str, place: str, build: Build) -> None:
    agent = pod(by_name(build(f"agent-{form}"))["Job/with-init"])["spec"][place][0]
    assert agent | {"args": None, "env": None} == sample(f"job-{form}.yaml")[place][0] | {"args": None, "env": None}


@pytest.mark.parametrize("form", ["classic", "regular"])
def test_a_pod_that_shares_its_processes_can_refuse_root(form: str, build: Build, newest: Path) -> None:
    said = build(f"agent-{form}", "share-unless-root")
    built = by_name(said)
    for name in ("Job/with-init", "CronJob/retried"):
        spec = pod(built[name])["spec"]
        assert (spec["shareProcessNamespace"], spec["securityContext"]) == (True, {"runAsNonRoot": True})
    assert judge(said.out, newest).ok


@pytest.mark.parametrize("module", ["configmap", "image"])
def test_istio_s_proxy_has_the_module_as_a_file(module: str, build: Build) -> None:
    built = by_name(build("annotation", "agent-native", f"module-{module}"))
    kind, name = {"configmap": ("configMap", "name"), "image": ("image", "reference")}[module]
    for job in ("Job/with-init", "CronJob/retried"):
        annotations = pod(built[job])["metadata"]["annotations"]
        volume = json.loads(annotations["sidecar.istio.io/userVolume"])["exeunt-module"][kind]
        mount = json.loads(annotations["sidecar.istio.io/userVolumeMount"])["exeunt-module"]
        assert f"file://{mount['mountPath']}/plugin.wasm" == built["WasmPlugin/exeunt"]["spec"]["url"]
        assert mount["readOnly"] is True
        agent = pod(built[job])["spec"]["initContainers"][0]["image"]
        assert volume == {name: "exeunt-module", "optional": True} if module == "configmap" else {name: agent}
    extension = by_name(build(f"module-{module}", base="trafficextension"))["TrafficExtension/exeunt"]
    assert extension["spec"]["wasm"]["url"] == "file:///etc/exeunt/plugin.wasm"


def test_the_module_s_image_follows_the_agent_s_by_the_replacement_of_the_component(build: Build) -> None:
    """The lines in the component's own comment, with the name of a Job of the fixture."""
    comment = (KUSTOMIZE / "components" / "module-image" / "kustomization.yaml").read_text()
    (lines,) = re.findall(r"^#   (replacements:\n(?:#    .*\n)+)", comment, re.MULTILINE)
    more = lines.replace("\n#   ", "\n").replace("name: upload", "name: with-init")
    # A registry with a port, whose name has a colon.
    more += "images: [{name: ghcr.io/exeunt-dev/exeunt-agent, newName: registry.example:5000/agent, newTag: v9}]\n"
    template = pod(by_name(build("agent-native", "module-image", more=more))["Job/with-init"])
    assert template["spec"]["initContainers"][0]["image"] == "registry.example:5000/agent:v9"
    volume = json.loads(template["metadata"]["annotations"]["sidecar.istio.io/userVolume"])
    assert volume["exeunt-module"]["image"]["reference"] == "registry.example:5000/agent:v9"


def test_a_job_that_does_not_ask_is_left_alone(build: Build) -> None:
    built = by_name(build("annotation", "agent-native"))["Job/not-asked"]
    assert pod(built) == {
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "registry.example/main:1"}]}
    }
