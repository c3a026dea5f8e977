"""The controller in the chart is that of deploy/controller, or the CronJob of deploy/reap, with the rights that it needs."""

import json
from pathlib import Path

import pytest
import yaml

from chart.programs import CHART, ROOT, Resource, helm, judge, kustomize, lone, template

DEPLOY = ROOT / "deploy"
ON = ("--set", "controller.enabled=true,plugin.enabled=false")
REAPS = (*ON, "--set", "controller.reap.enabled=true")
CRON = (*REAPS, "--set", "controller.mode=cronJob")

# Fields of a resource that say what it does. The labels are those of the chart.
MEANS = ("spec", "rules", "roleRef", "subjects", "automountServiceAccountToken", "data")


def rendered(*words: str) -> dict[str, Resource]:
    """What the chart renders in the namespace of deploy/controller, by kind and name."""
    return by_name(template(*words, namespace="exeunt-system").documents)


def by_name(resources: list[Resource]) -> dict[str, Resource]:
    """Resources by kind, name and, for those of another namespace than the release's, their namespace."""
    named = {}
    for one in resources:
        namespace = one["metadata"].get("namespace", "exeunt-system")
        elsewhere = "" if namespace == "exeunt-system" else f"{namespace}:"
        named[f"{elsewhere}{one['kind']}/{one['metadata']['name']}"] = one
    assert len(named) == len(resources)
    return named


def meaning(resources: dict[str, Resource]) -> dict[str, Resource]:
    """What they do, without their metadata."""
    return {name: {field: one[field] for field in MEANS if field in one} for name, one in resources.items()}


def args(resources: dict[str, Resource]) -> list[str]:
    """The arguments of the controller."""
    found: list[str] = resources["Deployment/exeunt-controller"]["spec"]["template"]["spec"]["containers"][0]["args"]
    return found


def verbs(role: Resource) -> dict[str, list[str]]:
    """The verbs by resource."""
    return {resource: rule["verbs"] for rule in role["rules"] for resource in rule["resources"]}


def test_it_is_off() -> None:
    kinds = {one["kind"] for one in template().documents}
    assert kinds == {"WasmPlugin"}


def test_it_is_that_of_the_manifests() -> None:
    assert meaning(rendered(*REAPS)) == meaning(by_name(kustomize(DEPLOY / "controller").documents))


def test_the_cron_job_is_that_of_the_manifest() -> None:
    manifest = [document for document in yaml.safe_load_all((DEPLOY / "reap" / "cronjob.yaml").read_text()) if document]
    assert meaning(rendered(*CRON)) == meaning(by_name(manifest))


@pytest.mark.parametrize("words", [ON, REAPS, CRON, (*REAPS, "--set", "controller.namespaces={a,b}")], ids=str)
def test_an_api_server_takes_it(words: tuple[str, ...]) -> None:
    said = judge(template(*words).out)
    assert said.ok, said.out


def test_what_may_end_nothing_may_change_no_pod() -> None:
    found = rendered(*ON)
    assert "pods/ephemeralcontainers" not in verbs(found["ClusterRole/exeunt-controller"])
    assert "--dry-run=true" in args(found)


def test_only_two_values_together_make_it_act() -> None:
    assert "--dry-run=true" in args(rendered(*ON, "--set", "controller.reap.dryRun=false"))
    assert "--dry-run=true" in args(rendered(*REAPS))
    assert "--dry-run=false" in args(rendered(*REAPS, "--set", "controller.reap.dryRun=false"))
    acting = rendered(*CRON, "--set", "controller.reap.dryRun=false")["CronJob/exeunt-reap"]["spec"]["jobTemplate"]
    assert acting["spec"]["template"]["spec"]["containers"][0]["args"][-1] == "--dry-run=false"


def test_chosen_namespaces_need_no_right_in_the_cluster() -> None:
    found = rendered(*REAPS, "--set", "controller.namespaces={a,b}")
    assert not any(name.startswith("Cluster") for name in found)
    rights = by_name(list(yaml.safe_load_all((DEPLOY / "controller" / "chosen-namespaces" / "rights.yaml").read_text())))
    for namespace in ("a", "b"):
        for kind in ("Role", "RoleBinding"):
            name = f"{kind}/exeunt-controller"
            assert meaning({"": found[f"{namespace}:{name}"]}) == meaning({"": rights[name]})
    assert args(found)[1] == "--namespaces=a,b"


def test_a_selector_needs_no_label_of_a_namespace() -> None:
    found = rendered(*REAPS, "--set", "controller.selector=team in (a\\,b)")
    assert "namespaces" not in verbs(found["ClusterRole/exeunt-controller"])
    assert "--selector=team in (a,b)" in args(found)


def test_only_what_differs_from_the_defaults_is_an_argument() -> None:
    told = "controller.reap.stuckFor=90,controller.reap.rate=1/s,controller.reap.atOnce=2"
    version = lone(CHART / "Chart.yaml")["version"]
    assert args(rendered(*REAPS, "--set", told, "--set", "agent.image.repository=registry.example/agent"))[3:-1] == [
        "--stuck-for=90",
        "--rate=1/s",
        "--at-once=2",
        f"--image=registry.example/agent:{version}",
    ]


def test_on_openshift_the_cluster_assigns_the_user() -> None:
    spec = rendered(*ON, "--set", "agent.uid=none")["Deployment/exeunt-controller"]["spec"]["template"]["spec"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@pytest.mark.parametrize("name", ["dashboard.json", "rules.yaml"])
def test_what_the_chart_reads_is_a_copy(name: str) -> None:
    """Helm reads no file above its folder."""
    assert (CHART / "files" / name).read_text() == (DEPLOY / "monitoring" / name).read_text()


def test_what_watches_it_is_that_of_the_manifests() -> None:
    found = rendered(
        *ON, "--set", "controller.podMonitor.enabled=true,controller.rules.enabled=true,controller.dashboard.enabled=true"
    )
    monitoring = DEPLOY / "monitoring"
    assert found["PodMonitor/exeunt-controller"]["spec"] == lone(monitoring / "podmonitor.yaml")["spec"]
    assert found["PrometheusRule/exeunt"]["spec"] == lone(monitoring / "prometheusrule.yaml")["spec"]
    dashboard = found["ConfigMap/exeunt-dashboard"]
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(dashboard["data"]["exeunt.json"]) == json.loads((monitoring / "dashboard.json").read_text())


def test_the_labels_of_what_watches_it_are_yours() -> None:
    found = rendered(*ON, "--set", "controller.rules.enabled=true,controller.rules.labels.release=prometheus")
    assert found["PrometheusRule/exeunt"]["metadata"]["labels"]["release"] == "prometheus"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((*ON, "--set", "controller.mode=cronJob"), "controller.mode: cronJob is not allowed with controller.reap.enabled=false"),
        ((*CRON, "--set", "controller.podMonitor.enabled=true"), "controller.podMonitor.enabled is not allowed"),
        ((*CRON, "--set", "controller.rules.enabled=true"), "controller.rules.enabled is not allowed"),
        ((*CRON, "--set", "controller.dashboard.enabled=true"), "controller.dashboard.enabled is not allowed"),
    ],
)
def test_values_that_mean_nothing_together_are_refused(words: tuple[str, ...], said: str) -> None:
    refused = template(*words)
    assert not refused.ok
    assert said in refused.err


@pytest.mark.parametrize(
    ("words", "has", "has_not"),
    [
        (ON, "It ends none", "logs -l"),
        (REAPS, "It only says which ones it would", "It ends none"),
        ((*REAPS, "--set", "controller.reap.dryRun=false"), "exeunt.dev/reap=on", "would"),
        ((*REAPS, "--set", "controller.namespaces={a,b}"), "in a, b.", "exeunt.dev/reap"),
        (CRON, "A CronJob looks for pods", "The controller counts"),
        ((), "exeunt's plugin", "controller"),
    ],
    ids=["counts", "dry-run", "acts", "chosen", "cron", "off"],
)
def test_the_notes_say_what_it_does(words: tuple[str, ...], has: str, has_not: str) -> None:
    said = helm("install", "exeunt", CHART, "--namespace", "jobs", "--dry-run=client", *words)
    text = said.out.split("NOTES:\n", 1)[1]
    assert has in text
    assert has_not not in text


def test_every_value_is_in_the_readme() -> None:
    readme = Path(CHART / "README.md").read_text()
    values = lone(CHART / "values.yaml")["controller"]
    rows = [row for row in readme.splitlines() if row.startswith("| `controller.")]
    named = " ".join(rows)
    for name, value in values.items():
        for field in value if name == "reap" else [name]:
            assert f".{field}" in named, field
