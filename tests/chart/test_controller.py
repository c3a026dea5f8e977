"""The controller and the CronJob of `reap`: an API server takes them, they start in dry run, and their rights are few."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.programs import ROOT, Resource, Said, judge, kustomize

BASE = ROOT / "deploy" / "controller"
CHOSEN = BASE / "chosen-namespaces"
CRONJOB = ROOT / "deploy" / "reap" / "cronjob.yaml"
README = BASE / "README.md"

Build = Callable[[str], Said]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds a kustomization of a user's own, with the folders of this checkout."""

    def build(text: str) -> Said:
        # A relative path, because kustomize takes no absolute paths.
        here = Path(*[".."] * len(tmp_path.resolve().parts[1:])) / ROOT.relative_to("/")
        own = re.sub(r"https://github\.com/exeunt-dev/exeunt//(\S+)\?ref=v[\d.]+", rf"{here}/\1", text)
        (tmp_path / "kustomization.yaml").write_text(own)
        return kustomize(tmp_path)

    return build


def documents(path: Path) -> list[Resource]:
    """The documents of a file."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def by_kind(resources: list[Resource]) -> dict[str, Resource]:
    """Resources of which there is one of each kind."""
    found = {one["kind"]: one for one in resources}
    assert len(found) == len(resources)
    return found


def blocks() -> list[str]:
    """The kustomizations in the README."""
    return re.findall(r"(?ms)^```yaml\n(.*?)^```$", README.read_text())


def pod_of(resource: Resource) -> Resource:
    """The spec of the pod of a Deployment or a CronJob."""
    spec = resource["spec"]
    found: Resource = spec.get("jobTemplate", {"spec": spec})["spec"]["template"]
    return found


def rules(role: Resource) -> set[tuple[str, str, str]]:
    """What a role allows: group, resource and verb."""
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


@pytest.fixture
def controller() -> dict[str, Resource]:
    """What the base makes."""
    return by_kind(kustomize(BASE).documents)


@pytest.fixture(params=["controller", "cronjob"])
def pod(request: pytest.FixtureRequest, controller: dict[str, Resource]) -> Resource:
    """The pod template of each."""
    return pod_of(controller["Deployment"] if request.param == "controller" else by_kind(documents(CRONJOB))["CronJob"])


def test_an_api_server_takes_the_controller() -> None:
    said = judge(kustomize(BASE).out)
    assert said.ok, said.out


@pytest.mark.parametrize("path", [CRONJOB, CHOSEN / "rights.yaml"], ids=lambda path: path.stem)
def test_an_api_server_takes_the_file(path: Path) -> None:
    said = judge(path.read_text())
    assert said.ok, said.out


def test_the_judge_refuses_a_mistake() -> None:
    """Otherwise the tests above would mean nothing."""
    right = kustomize(BASE).out
    wrong = {
        "whenUnsatisfiable: ScheduleAnyway": "whenUnsatisfiable: Sometimes",
        "targetPort: metrics": "targetPort: Metrics_",
        "apiGroup: rbac.authorization.k8s.io\n  kind: ClusterRole": "apiGroup: apps\n  kind: ClusterRole",
        "  - patch\n": "",
        "automountServiceAccountToken: false": "automountServiceAccountTokn: false",
    }
    for text, other in wrong.items():
        assert text in right
        assert not judge(right.replace(text, other)).ok, text


@pytest.mark.parametrize("number", range(2))
def test_the_kustomizations_of_the_readme_build(number: int, build: Build) -> None:
    said = build(blocks()[number])
    assert judge(said.out).ok, said.err
    found = by_kind(said.documents)
    container = pod_of(found["Deployment"])["spec"]["containers"][0]
    changed = [("args", 2, "--dry-run=false"), ("args", 1, "--namespaces=jobs,reports")][number]
    assert container[changed[0]][changed[1]] == changed[2]
    assert ("ClusterRole" in found, "ClusterRoleBinding" in found) == ((True, True) if number == 0 else (False, False))


def test_the_readme_names_the_places_of_the_arguments(controller: dict[str, Resource]) -> None:
    args = pod_of(controller["Deployment"])["spec"]["containers"][0]["args"]
    rows = re.findall(r"(?m)^\| (\d) \| `(--\S+)` \|", README.read_text())
    assert dict(enumerate(args)) == {0: "controller"} | {int(place): argument for place, argument in rows}


def test_both_start_in_dry_run(controller: dict[str, Resource]) -> None:
    assert "--dry-run=true" in pod_of(controller["Deployment"])["spec"]["containers"][0]["args"]
    # The default of `reap`, which cli/tests/suite/manifests.rs reads.
    assert pod_of(by_kind(documents(CRONJOB))["CronJob"])["spec"]["containers"][0]["args"] == ["reap", "--all-namespaces"]


def test_nothing_of_the_pod_is_more_than_it_needs(pod: Resource) -> None:
    spec = pod["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"] == {
        "runAsUser": 15190,
        "runAsGroup": 15190,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {name: sorted(container["resources"][name]) for name in ("requests", "limits")} == {
        "requests": ["cpu", "memory"],
        "limits": ["memory"],
    }
    assert pod["metadata"]["labels"]["sidecar.istio.io/inject"] == "false"
    assert "volumes" not in spec
    assert not any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"))


def test_two_replicas_are_spread_and_probed(controller: dict[str, Resource]) -> None:
    spec = controller["Deployment"]["spec"]
    labels = spec["selector"]["matchLabels"]
    template = spec["template"]
    (container,) = template["spec"]["containers"]
    assert spec["replicas"] == 2
    assert labels.items() <= template["metadata"]["labels"].items()
    (spread,) = template["spec"]["topologySpreadConstraints"]
    assert (spread["labelSelector"]["matchLabels"], spread["topologyKey"]) == (labels, "kubernetes.io/hostname")
    probes = {name: container[name]["httpGet"] for name in ("livenessProbe", "readinessProbe")}
    assert probes == {
        "livenessProbe": {"path": "/healthz", "port": "metrics"},
        "readinessProbe": {"path": "/readyz", "port": "metrics"},
    }
    assert controller["Service"]["spec"]["selector"] == labels
    told = {one["name"]: one["valueFrom"]["fieldRef"]["fieldPath"] for one in container["env"]}
    assert told == {"POD_NAME": "metadata.name", "POD_NAMESPACE": "metadata.namespace"}


def test_the_rights_are_those_of_the_readme(controller: dict[str, Resource]) -> None:
    """Each row of the table, and nothing else."""
    table = set()
    for row in re.findall(r"(?m)^\| (`.*?) \|", README.read_text().split("## What it may do")[1]):
        for verbs, resource in re.findall(
            r"((?:`\w+`(?:, )?)+) (pods/ephemeralcontainers|pods|namespaces|events|leases|its own)", row
        ):
            kind = {"its own": "leases"}.get(resource, resource)
            table |= {(kind, verb) for verb in re.findall(r"\w+", verbs)}
    given = rules(controller["ClusterRole"]) | rules(controller["Role"])
    assert {(resource, verb) for _, resource, verb in given} == table


def test_a_role_for_a_chosen_namespace_is_the_cluster_role_without_the_namespaces(controller: dict[str, Resource]) -> None:
    found = by_kind(documents(CHOSEN / "rights.yaml"))
    assert rules(found["Role"]) == {rule for rule in rules(controller["ClusterRole"]) if rule[1] != "namespaces"}
    account = controller["ServiceAccount"]["metadata"]
    assert found["RoleBinding"]["subjects"] == [
        {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
    ]


def test_nothing_may_delete_exec_or_read_secrets(controller: dict[str, Resource]) -> None:
    """Nor `*` anything: a new resource of Kubernetes would be given with it."""
    roles: list[Any] = [controller["ClusterRole"], controller["Role"], by_kind(documents(CRONJOB))["ClusterRole"]]
    for _, resource, verb in set().union(*map(rules, roles)):
        assert verb in {"get", "list", "watch", "create", "update", "patch"}
        assert resource in {"pods", "pods/ephemeralcontainers", "namespaces", "events", "leases"}


def test_a_run_that_ends_once_watches_nothing() -> None:
    found = by_kind(documents(CRONJOB))
    assert {verb for _, _, verb in rules(found["ClusterRole"])} == {"get", "list", "patch", "create"}
    job = found["CronJob"]["spec"]
    assert (job["schedule"], job["concurrencyPolicy"]) == ("*/5 * * * *", "Forbid")
    assert {one["metadata"].get("namespace") for one in found.values() if one["kind"] != "ClusterRole"} == {"exeunt-system", None}


def test_every_binding_names_its_own_account(controller: dict[str, Resource]) -> None:
    for found in (controller, by_kind(documents(CRONJOB))):
        account = found["ServiceAccount"]["metadata"]
        subject = {"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}
        for kind in ("ClusterRoleBinding", "RoleBinding"):
            if kind in found:
                assert found[kind]["subjects"] == [subject]
                assert found[kind]["roleRef"]["name"] == found[found[kind]["roleRef"]["kind"]]["metadata"]["name"]
