"""The named templates and the components give a pod the agent that the vectors describe, which are those of the Airflow hook.

tests/inject compares the injection template with the same vectors, and other tests here compare the samples with both. Where a
way knows less of the pod than the vectors, the difference and its reason stand beside the test.
"""

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.programs import CHART, ROOT, Resource, kustomize, template
from inject import pods

FORMS = {"native": ("native", "native"), "classic": ("classic", "native"), "regular": ("classic", "regular")}
PLACES = {"native": "initContainers", "classic": "initContainers", "regular": "containers"}
REPOSITORY, TAG = "registry.example/exeunt-agent", "test"
PROXY_CONFIG = "proxy.istio.io/config"

# A pod that was injected before it was created: Helm and kustomize write the Job, which comes before all injection.
LATER = ("injected-before",)
# Who writes a chart or a kustomization writes the agent's options for the pod's helpers, too.
HELPERS = ("also-wait", "helpers")
# Kustomize does not see that the pod has resources as a whole. A patch removes the agent's (docs/namespaces-with-rules.md).
WHOLE_RESOURCES = ("pod-level-resources",)
# The chart's author writes the annotation, and so merges a configuration of the pod's own by hand. The component replaces it.
OWN_CONFIG = ("own-complete-config", "own-empty-config", "own-exit-on-zero", "own-proxy-config")

_CHART = {
    "apiVersion": "v2",
    "name": "ways",
    "version": "1.0.0",
    "dependencies": [{"name": "exeunt", "version": "0.1.0", "repository": ""}],
}
_TEMPLATE = """\
{{- range $name, $told := .Values.pods }}
---
name: {{ $name }}
{{- with include "exeunt.watches" $told }}
volumes:
  {{- include "exeunt.agentVolume" $told | nindent 2 }}
{{- end }}
containers:
  {{- include "exeunt.agentContainer" $told | nindent 2 }}
annotations:
  {{- include "exeunt.podAnnotations" $told | nindent 2 }}
{{- end }}
"""


def names(form: str) -> list[str]:
    """The vectors that get an agent in this form."""
    return [name for name in pods.NAMES if name not in (*LATER, *HELPERS) and pods.expected(name, form)]


CASES = [(form, name) for form in FORMS for name in names(form)]
PATCHED = [(form, name) for form, name in CASES if name not in WHOLE_RESOURCES]


def wanted(form: str, name: str) -> Resource:
    """The pod of a vector with its agent."""
    found = pods.expected(name, form)
    assert found is not None
    return found


def told(form: str, name: str) -> Resource:
    """What the author of a chart tells the named templates of that pod."""
    spec = pods.load(f"{name}.in.yaml")["spec"]
    proxy, placement = FORMS[form]
    mains = [one for one in spec["containers"] if one["name"] in _mains(form, name)]
    known: Resource = {"proxy": proxy, "placement": placement, "image": {"repository": REPOSITORY, "tag": TAG}}
    seconds = spec.get("terminationGracePeriodSeconds", 30)
    if seconds != 30:
        # The agent takes no duration of 0.
        known["gracePeriod"] = f"{max(seconds, 1)}s"
    if "resources" in spec:
        # They are the whole pod's, so the agent has none of its own.
        known["resources"] = {}
    if proxy == "classic":
        known["container"] = [one["name"] for one in mains]
        known["restartPolicy"] = spec["restartPolicy"]
        known["restartPolicies"] = {one["name"]: one["restartPolicy"] for one in mains if "restartPolicy" in one}
        known["restartRules"] = {one["name"]: one["restartPolicyRules"] for one in mains if "restartPolicyRules" in one}
    return known


def _mains(form: str, name: str) -> list[str]:
    """The main containers that the vector names. Kubelet's agent is told none."""
    args = pods.agent_of(wanted(form, name))[1]["args"]
    return [value for option, value in itertools.pairwise(args) if option == "--container"]


@pytest.fixture(scope="module")
def charted(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Resource]:
    """What the named templates make, for each form and vector."""
    folder = tmp_path_factory.mktemp("ways")
    (folder / "templates").mkdir()
    (folder / "Chart.yaml").write_text(yaml.safe_dump(_CHART))
    (folder / "templates" / "pods.yaml").write_text(_TEMPLATE)
    shutil.copytree(CHART, folder / "charts" / "exeunt")
    found = {}
    for form in FORMS:
        values = {"exeunt": {"plugin": {"enabled": False}}, "pods": {name: told(form, name) for name in names(form)}}
        (folder / "values.yaml").write_text(yaml.safe_dump(values))
        found |= {(form, one["name"]): one for one in template(chart=folder).documents}
    return found


@pytest.fixture(scope="module")
def customised(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Resource]:
    """The pod template that the component makes, for each form and vector."""
    found = {}
    for form in FORMS:
        folder = tmp_path_factory.mktemp(form)
        here = Path(*[".."] * len(folder.resolve().parts[1:])) / (ROOT / "deploy" / "kustomize").relative_to("/")
        jobs = [job(name) for name in names(form) if name not in WHOLE_RESOURCES]
        (folder / "jobs.yaml").write_text(yaml.safe_dump_all(jobs))
        used = [f"{here}/components/{component}" for component in ("annotation", f"agent-{form}")]
        images = [{"name": "ghcr.io/exeunt-dev/exeunt-agent", "newName": REPOSITORY, "newTag": TAG}]
        (folder / "kustomization.yaml").write_text(
            yaml.safe_dump({"resources": ["jobs.yaml"], "components": used, "images": images})
        )
        for one in kustomize(folder).documents:
            found[form, one["metadata"]["name"]] = one["spec"]["template"]
    return found


def job(name: str) -> Resource:
    """A Job that makes the pod of a vector."""
    pod = pods.load(f"{name}.in.yaml")
    metadata = {key: value for key, value in pod["metadata"].items() if key in ("labels", "annotations")}
    template = {"metadata": metadata, "spec": pod["spec"]}
    label = {pods.LABEL: "on"}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": label}, "spec": {"template": template}}


@pytest.mark.parametrize(("form", "name"), CASES)
def test_the_named_templates_make_the_agent_of_the_vectors(form: str, name: str, charted: Any) -> None:
    (agent,) = charted[form, name]["containers"]
    _, vector = pods.agent_of(wanted(form, name))
    arguments = list(vector["args"])
    if form == "native":
        # The agent finds out its placement by itself: Envoy tells it. The hook tells it, for pods without a proxy.
        arguments = [word for word in arguments if word not in ("--placement", "native")]
    assert [*map(pods.argument, agent.get("args", ["watch"]))] == [*map(pods.argument, arguments)]
    assert agent | {"args": None} == vector | {"args": None}
    # In the native form a volume of that name is the pod's own.
    volumes = [one for one in wanted(form, name)["spec"].get("volumes") or [] if form != "native" and one["name"] == pods.AGENT]
    assert charted[form, name].get("volumes", []) == volumes


@pytest.mark.parametrize(("form", "name"), CASES)
def test_the_named_templates_tell_the_proxy_what_the_vectors_tell_it(form: str, name: str, charted: Any) -> None:
    annotations, vector = charted[form, name]["annotations"], wanted(form, name)["metadata"]["annotations"]
    assert annotations.get("sidecar.istio.io/nativeSidecar") == vector.get("sidecar.istio.io/nativeSidecar")
    if name not in OWN_CONFIG:
        assert yaml.safe_load(annotations[PROXY_CONFIG]) == yaml.safe_load(vector[PROXY_CONFIG])
    if name != "own-default-container":
        # The author of the chart tells the first main container; the pod's own annotation comes before it.
        default = "kubectl.kubernetes.io/default-container"
        assert annotations.get(default) == vector.get(default)


@pytest.mark.parametrize(("form", "name"), PATCHED)
def test_the_components_make_the_agent_of_the_vectors(form: str, name: str, customised: Any) -> None:
    pod, vector = customised[form, name], wanted(form, name)
    place, agent = pods.agent_of(pod)
    assert (place, pod["spec"][place][0]) == (PLACES[form], agent)
    # Kustomize cannot read the pod. The agent finds out what it is not told, or the pod's annotations tell it.
    unknown: Resource = {"args": None, "env": None}
    assert agent | unknown == pods.agent_of(vector)[1] | unknown
    known = [] if form == "native" else ["watch", "--placement", FORMS[form][1], "--state-dir", "/run/exeunt"]
    assert agent.get("args", []) == known
    assert pod["spec"].get("shareProcessNamespace") == vector["spec"].get("shareProcessNamespace")
    assert pod["metadata"]["labels"][pods.LABEL] == vector["metadata"]["labels"][pods.LABEL]
    key = "sidecar.istio.io/nativeSidecar"
    assert pod["metadata"]["annotations"].get(key) == vector["metadata"]["annotations"].get(key)


@pytest.mark.parametrize(("form", "name"), [case for case in PATCHED if case[1] not in OWN_CONFIG])
def test_the_component_tells_the_proxy_what_the_vectors_tell_it(form: str, name: str, customised: Any) -> None:
    """It does not know the form, so it tells a native proxy also what only a classic one needs."""
    found = yaml.safe_load(customised[form, name]["metadata"]["annotations"][PROXY_CONFIG])["proxyMetadata"]
    vector = yaml.safe_load(wanted(form, name)["metadata"]["annotations"][PROXY_CONFIG])["proxyMetadata"]
    assert vector.items() <= found.items()
    assert set(found) - set(vector) <= {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS"}
