"""Ordinary Jobs: what adds the agent to them, for the namespaces of a run alone, and what a pod of theirs has."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.errors import Refused, RunError
from cluster.injection import istio, module, objects, template, ways
from cluster.injection.from_chart import FromChart
from cluster.injection.kyverno import Kyverno
from cluster.injection.policy import Policy
from cluster.injection.scenarios import SCENARIOS
from cluster.injection.way import Way, has_agent, pod_of_job
from cluster.options import Options
from cluster.shape import LABEL, Where

Json = dict[str, Any]

WHERE = Where("python:3", "registry.example/exeunt-agent:1", "10.0.0.1:9000")
CONFIG = yaml.safe_dump(
    {"policy": "enabled", "defaultTemplates": ["sidecar", "own"], "templates": {"sidecar": "a: 1", "own": "b"}}
)
COMMENTED = f"# As somebody has written it.\n{CONFIG}"
TEXT = template.for_namespaces("run", {}, {"image": "x"})


def test_the_template_is_one_of_the_defaults_and_goes_without_a_trace() -> None:
    having = yaml.safe_load(istio.with_template(CONFIG, TEXT))
    assert having["defaultTemplates"] == ["sidecar", "own", "exeunt"]
    assert having["templates"]["exeunt"] == TEXT
    assert yaml.safe_load(istio.without_template(yaml.safe_dump(having))) == yaml.safe_load(CONFIG)


@pytest.mark.parametrize("config", ["templates: {sidecar: a}", "templates: {sidecar: a}\ndefaultTemplates: []"])
def test_an_injector_without_default_templates_keeps_its_own(config: str) -> None:
    assert yaml.safe_load(istio.with_template(config, TEXT))["defaultTemplates"] == ["sidecar", "exeunt"]


def test_the_template_of_somebody_else_is_left_alone() -> None:
    somebodys = istio.with_template(CONFIG, "metadata: {}")
    assert istio.owner_of(somebodys) == ""
    with pytest.raises(RunError, match="has a template exeunt already"):
        istio.with_template(somebodys, TEXT)


def test_the_template_names_its_run() -> None:
    assert istio.owner_of(istio.with_template(CONFIG, TEXT)) == "run"
    assert istio.owner_of(CONFIG) == ""


def test_the_template_is_that_of_deploy_for_the_runs_namespaces_alone() -> None:
    made = template.for_namespaces("run", {"run-other": "y"}, {"image": "x:1", "select": "labelled"})
    head, condition, *lines = made.splitlines()
    assert template.run_of(head) == "run"
    assert condition == '{{- if hasPrefix "run-" (printf "%s-" .ObjectMeta.Namespace) }}'
    assert '{{- $image := (ternary "y" "x:1" (eq .ObjectMeta.Namespace "run-other")) }}' in lines
    assert '{{- $select := "labelled" }}' in lines
    file = Path(template.__file__).resolve().parents[3] / "deploy" / "istio" / "template.tpl"
    own = file.read_text().splitlines()
    assert lines[-1] == "{{- end }}"
    assert [(was, now) for was, now in zip(own, lines[:-1], strict=True) if was != now and "$image" not in was] == [
        ('{{- $select := "jobs" }}', '{{- $select := "labelled" }}')
    ]


def test_an_option_that_the_template_does_not_have_is_named() -> None:
    with pytest.raises(RunError, match="has no option nothing"):
        template.with_options('{{- $some := "a" }}\n', {"nothing": '"b"'})


class Cluster:
    """The injector's ConfigMap, which others change too, and the namespaces that exist."""

    def __init__(self, config: str, namespaces: tuple[str, ...] = ()) -> None:
        self.config = config
        self.version = 1
        self.owners = ["Helm"]
        self.namespaces = namespaces
        # Before so many requests somebody else changes the ConfigMap.
        self.disturbed = 0

    def read(self, kind: str, _namespace: str, name: str) -> Json | None:
        """The ConfigMap, or a namespace."""
        if kind == "Namespace":
            return {} if name in self.namespaces else None
        metadata = {"resourceVersion": str(self.version), "managedFields": self.owners}
        return {"metadata": metadata, "data": {"config": self.config}}

    def merge(self, _kind: str, _namespace: str, name: str, body: Json) -> Json:
        """A change, which is refused if the object is not the one that was read."""
        assert name == "istio-sidecar-injector-1-30"
        if self.disturbed:
            self.disturbed -= 1
            self.version += 1
        if body["metadata"]["resourceVersion"] != str(self.version):
            raise Refused(409, "the object has been modified")
        self.config, self.version = body.get("data", {}).get("config", self.config), self.version + 1
        self.owners = body["metadata"].get("managedFields", ["this run"])
        return {"metadata": {"resourceVersion": str(self.version)}}


def injector(cluster: Cluster, namespace: str = "run") -> istio.Injector:
    class Site:
        """As in a run."""

        kube = cluster
        options = Options(agent_image="x:1", revision="1-30")

    site: Any = Site()
    site.namespace = namespace
    return istio.Injector(site, lambda _line: None)


def test_the_injectors_configmap_is_as_before_at_the_end() -> None:
    cluster = Cluster(COMMENTED)
    way = injector(cluster)
    way.install()
    assert istio.owner_of(cluster.config) == "run"
    assert cluster.owners == ["this run"]
    cluster.disturbed = 1
    way.take_away()
    assert (cluster.config, cluster.owners) == (COMMENTED, ["Helm"])
    # A second time nothing is changed.
    version = cluster.version
    way.take_away()
    assert cluster.version == version


def test_what_others_change_meanwhile_stays() -> None:
    cluster = Cluster(COMMENTED)
    way = injector(cluster)
    way.install()
    cluster.config = yaml.safe_dump(yaml.safe_load(cluster.config) | {"policy": "disabled"})
    way.take_away()
    assert yaml.safe_load(cluster.config) == yaml.safe_load(CONFIG) | {"policy": "disabled"}


def test_the_template_of_a_run_that_was_killed_is_replaced_and_that_of_another_run_is_not() -> None:
    cluster = Cluster(istio.with_template(CONFIG, TEXT), ("run",))
    with pytest.raises(RunError, match="has a template exeunt already"):
        injector(cluster, "next").install()
    injector(cluster, "next").take_away()
    assert istio.owner_of(cluster.config) == "run"
    cluster.namespaces = ()
    injector(cluster, "next").install()
    assert istio.owner_of(cluster.config) == "next"


def test_a_template_that_cannot_be_removed_is_said() -> None:
    cluster = Cluster(CONFIG)
    way = injector(cluster)
    way.install()
    cluster.disturbed = 99
    with pytest.raises(RunError, match="the template exeunt is still in ConfigMap istio-system/istio-sidecar-injector-1-30"):
        way.take_away()


class Answering(Way):
    """A way whose agent comes or not, in the dry runs of pods."""

    title = "it"

    def __init__(self, answers: list[bool]) -> None:
        class Site:
            """A site whose API server gives these answers."""

            namespace = "run"
            where = WHERE

            class stop:  # noqa: N801 (it stands for an object)
                """Never set."""

                @staticmethod
                def wait(_seconds: float) -> bool:
                    """No time passes."""
                    return False

            class kube:  # noqa: N801 (it stands for an object)
                """The API server."""

                @staticmethod
                def create(_namespace: str, body: Json, *, dry_run: bool) -> Json:
                    """The pod, with or without the agent."""
                    assert dry_run
                    body["spec"]["initContainers"] = [{"name": "exeunt"}] if answers.pop(0) else []
                    return body

        site: Any = Site()
        self.said: list[str] = []
        self.taken = 0
        super().__init__(site, self.said.append)

    def install(self) -> None:
        """Nothing is needed."""

    def opt_out(self, namespace: str) -> None:
        """Nobody does."""

    def take_away(self) -> None:
        """Counts."""
        self.taken += 1


def test_a_way_is_there_when_every_istiod_has_it_and_is_removed_once() -> None:
    answers = [False, True, False, True, True, True, True, True]
    with Answering(answers) as way:
        assert answers == []
        answers += [True, False, False, False, False, False]
        way.remove()
        way.wait_removed()
        assert answers == []
    assert isinstance(way, Answering)
    assert (way.taken, way.said[-1]) == (1, "it is as it was before")


def test_a_way_that_fails_is_removed_too() -> None:
    way = Answering([])
    with pytest.raises(IndexError), way:
        pass
    assert way.taken == 1


def test_the_dry_pod_is_a_jobs_and_has_no_agent() -> None:
    made = pod_of_job("python:3")
    assert made["metadata"]["ownerReferences"][0]["kind"] == "Job"
    assert not has_agent(made)


class Reviews:
    """An API server that denies some rights."""

    def __init__(self, *denied: str) -> None:
        self.denied = denied

    def create(self, _namespace: str, body: Json) -> Json:
        """The answer to a review of rights."""
        return {"status": {"allowed": body["spec"]["resourceAttributes"]["resource"] not in self.denied}}


def test_the_rights_of_each_way_are_asked_for_where_it_needs_them() -> None:
    def lines(inject: str, *denied: str) -> tuple[str, ...]:
        kube: Any = Reviews(*denied)
        with pytest.raises(RunError) as raised:
            ways.check(kube, "run", inject)
        return raised.value.lines

    configmaps = tuple(f"no right to {verb} configmaps in namespace istio-system" for verb in ("get", "patch"))
    assert lines("istio", "configmaps", "namespaces") == configmaps
    assert lines("policy", "configmaps", "namespaces", "cronjobs")[0] == "no right to create cronjobs.batch in namespace run"
    assert lines("policy", "namespaces") == ("no right to patch namespaces",)
    nothing: Any = None
    ways.check(nothing, "run", "")


POLICY: list[Json] = [
    {"kind": "MutatingAdmissionPolicy", "metadata": {"name": "exeunt"}, "spec": {"failurePolicy": "Ignore"}},
    {
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": "exeunt"},
        "spec": {"policyName": "exeunt", "matchResources": {"namespaceSelector": {"matchLabels": {"exeunt.dev/drain": "on"}}}},
    },
]


def way(kind: type[FromChart], source: str = "oci", kube: Any = None) -> FromChart:
    class Site:
        """A run with this source of the filter; its namespace's objects are those of `kube`."""

        namespace = "run"
        options = Options(agent_image="x:1", source=source, module=Path(__file__))

        class stop:  # noqa: N801 (it stands for an object)
            """Never set."""

            @staticmethod
            def wait(_seconds: float) -> bool:
                """No time passes."""
                return False

    site: Any = Site()
    site.kube = kube
    return kind(site, lambda _line: None)


OWN = {"key": "own", "operator": "In", "values": ["run"]}


def test_a_policy_is_bound_by_its_own_label_and_to_the_run_alone() -> None:
    one, binding = way(Policy).bound(POLICY, "run", OWN)
    assert (one["metadata"]["name"], binding["metadata"]["name"], binding["spec"]["policyName"]) == ("exeunt-run",) * 3
    assert binding["spec"]["matchResources"]["namespaceSelector"] == {
        "matchLabels": {"exeunt.dev/drain": "on"},
        "matchExpressions": [OWN],
    }
    assert POLICY[1]["metadata"]["name"] == "exeunt"


def of_kyverno() -> list[Json]:
    file = Path(__file__).resolve().parents[3] / "deploy" / "kyverno" / "policies-with-module.yaml"
    return list(yaml.safe_load_all(file.read_text()))


def test_kyvernos_policies_are_for_the_run_alone() -> None:
    made = way(Kyverno).bound(of_kyverno(), "run", OWN)
    assert [body["kind"] for body in made] == ["ClusterRole", "GeneratingPolicy", "MutatingPolicy", "MutatingPolicy"]
    assert all(body["metadata"]["name"].endswith("-run") for body in made)
    for body in made[2:]:
        assert body["spec"]["matchConstraints"]["namespaceSelector"] == {
            "matchLabels": {"exeunt.dev/drain": "on"},
            "matchExpressions": [OWN],
        }
    *_, condition = made[1]["spec"]["matchConditions"]
    assert condition["expression"] == (
        f"object.metadata.?labels[?'{LABEL}'].orValue('') == 'run' && !object.metadata.name.startsWith('run-no-module')"
    )


def test_kyverno_copies_the_module_once() -> None:
    assert [body["kind"] for body in way(Kyverno).of_another_image(of_kyverno())] == ["MutatingPolicy", "MutatingPolicy"]


class Copying:
    """An API server in whose cluster Kyverno has copied the ConfigMap when it is asked for the third time, or never does."""

    def __init__(self, after: int = 3) -> None:
        self.after = after
        self.asked = 0
        self.created: list[str] = []

    def create(self, namespace: str, body: Json) -> Json:
        """What is created, and where."""
        self.created.append(f"{namespace}/{body['metadata']['name']}")
        return body

    def read(self, _kind: str, namespace: str, name: str) -> Json | None:
        """The copy."""
        assert (namespace, name) == ("run-other", "exeunt-module")
        self.asked += 1
        return {} if self.asked >= self.after else None


def test_only_the_runs_namespace_gets_the_module_and_kyverno_has_to_copy_it(monkeypatch: pytest.MonkeyPatch) -> None:
    kube = Copying()
    one = way(Kyverno, "configMap", kube)
    one.put_module("run")
    one.put_module("run-other")
    assert (kube.created, kube.asked) == (["run/exeunt-module"], 3)
    monkeypatch.setattr("cluster.injection.kyverno._COPY_S", 0)
    with pytest.raises(RunError, match="waited 0 s for Kyverno to copy the module into namespace run-other"):
        way(Kyverno, "configMap", Copying(after=99)).put_module("run-other")
    by_policy = Copying()
    way(Policy, "configMap", by_policy).put_module("run-other")
    assert by_policy.created == ["run-other/exeunt-module"]


def test_a_cluster_without_kyverno_is_refused() -> None:
    class Without(Reviews):
        """An API server without Kyverno's kinds."""

        server = "https://cluster"

        def get(self, path: str) -> Json:
            """Nothing is there."""
            raise Refused(404, path)

    kube: Any = Without()
    with pytest.raises(RunError) as raised:
        ways.check(kube, "run", "kyverno")
    (line,) = raised.value.lines
    assert line.startswith("no Kyverno: https://cluster has no MutatingPolicy in policies.kyverno.io/v1, so nothing was tested")


@pytest.mark.parametrize("classic", [True, False])
def test_an_ordinary_job_has_nothing_of_exeunts(classic: bool) -> None:
    shape = objects.ordinary("classic" if classic else "native")
    for body in (
        objects.plain_job("x", shape, WHERE),
        objects.indexed("x", shape, WHERE, 3),
        objects.cron_job("x", shape, WHERE),
    ):
        spec = body["spec"].get("jobTemplate", body)["spec"]
        made = spec["template"]
        # The label by which this program finds the pod is its only trace.
        assert made["metadata"]["labels"] == {LABEL: "x", "app": "x"}
        annotations = made["metadata"].get("annotations", {})
        assert set(annotations) <= {"sidecar.istio.io/nativeSidecar", "kubectl.kubernetes.io/default-container"}
        assert [one["name"] for one in made["spec"]["containers"]] == ["base"]
        assert [one["name"] for one in made["spec"]["volumes"]] == ["scratch", "programs"]
        assert made["spec"]["initContainers"] == []
        assert "shareProcessNamespace" not in made["spec"]


def test_an_indexed_job_has_all_of_its_pods_at_once() -> None:
    spec = objects.indexed("x", objects.ordinary("native"), WHERE, 20)["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 20, 20)


def test_the_filters_configmap_has_all_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "exeunt.wasm"
    file.write_bytes(b"\0asm\xff")
    made = module.config_map(file)
    assert made["metadata"]["name"] == "exeunt-module"
    assert base64.b64decode(made["binaryData"]["plugin.wasm"]) == b"\0asm\xff"


def test_what_runs_alone_is_at_the_end_and_the_removal_is_the_very_last() -> None:
    alone = [one.name for one in SCENARIOS if one.last]
    assert alone == ["inject-indexed-classic", "inject-indexed-native", "inject-uninstall"]
    assert [one.name for one in SCENARIOS][-3:] == alone
    assert all(one.injected and not one.engine and one.name.startswith("inject-") for one in SCENARIOS)
