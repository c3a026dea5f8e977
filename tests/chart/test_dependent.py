"""The named templates, as another chart includes them."""

import json
import shutil
from pathlib import Path

import pytest

from chart.programs import CHART, HERE, ROOT, Resource, Said, judge, lone, template

SAMPLES = ROOT / "deploy" / "samples"


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart with our chart as its dependency."""
    shutil.copytree(HERE / "dependent", tmp_path / "upload")
    shutil.copytree(CHART, tmp_path / "upload" / "charts" / "exeunt")
    return tmp_path / "upload"


def rendered(chart: Path, *settings: str) -> Said:
    """Renders that chart with values."""
    return template(*(word for setting in settings for word in ("--set", setting)), chart=chart)


CLASSIC = ("agent.proxy=classic", "agent.restartPolicy=Never")
REGULAR = ("agent.placement=regular", "agent.restartPolicy=Never", "agent.defaultContainer=main")


@pytest.mark.parametrize(("settings", "sample"), [((), "job.yaml"), (CLASSIC, "job-classic.yaml"), (REGULAR, "job-regular.yaml")])
def test_the_job_is_the_sample_and_nothing_else_is_installed(chart: Path, settings: tuple[str, ...], sample: str) -> None:
    (job,) = rendered(chart, *settings).documents
    assert job == lone(SAMPLES / sample) | {"metadata": {"name": "upload"}}


def test_kubelet_s_agent_is_told_only_what_differs(chart: Path) -> None:
    (job,) = rendered(chart, "agent.gracePeriod=60s", "agent.port=25190").documents
    pod = job["spec"]["template"]
    (agent,) = pod["spec"]["initContainers"]
    assert agent["args"] == ["watch", "--grace-period", "60s", "--signal-port", "25190"]
    assert '"25190"' in pod["metadata"]["annotations"]["proxy.istio.io/config"]


def test_every_argument_finds_its_place(chart: Path) -> None:
    settings = ["agent.proxy=classic", "agent.container={main,wait}", "agent.restartPolicy=OnFailure"]
    settings += ["agent.gracePeriod=60s", "agent.port=25190"]
    said = rendered(chart, *settings, "agent.image.repository=mirror.example/agent", "agent.image.tag=v9")
    (job,) = said.documents
    pod = job["spec"]["template"]
    (agent,) = pod["spec"]["initContainers"]
    assert agent["image"] == "mirror.example/agent:v9"
    line = " ".join(agent["args"])
    assert line.startswith("watch --container main --container wait --placement native --restart-policy OnFailure ")
    assert line.endswith(" --grace-period 60s --signal-port 25190")
    assert '"25190"' in pod["metadata"]["annotations"]["proxy.istio.io/config"]
    assert judge(said.out).ok


def test_an_agent_is_told_nothing_that_the_chart_does_not_know(chart: Path) -> None:
    (job,) = rendered(chart, "agent.proxy=classic").documents
    pod = job["spec"]["template"]
    assert pod["spec"]["initContainers"][0]["args"] == ["watch", "--placement", "native", "--state-dir", "/run/exeunt"]
    assert "kubectl.kubernetes.io/default-container" not in pod["metadata"]["annotations"]


def test_an_agent_is_told_the_containers_own_restart_policies_and_rules(chart: Path) -> None:
    rules = '[{"action":"Restart","exitCodes":{"operator":"In","values":[42]}}]'
    settings = [*CLASSIC, "agent.restartPolicies.main=OnFailure", "agent.restartPolicies.wait=Never"]
    (job,) = template(
        *(word for one in settings for word in ("--set", one)),
        "--set-json",
        f'agent.restartRules={{"wait":{rules}}}',
        chart=chart,
    ).documents
    (agent,) = job["spec"]["template"]["spec"]["initContainers"]
    policies = ["--restart-policy", "Never", "--restart-policy", "main=OnFailure", "--restart-policy", "wait=Never"]
    assert agent["args"] == [
        "watch",
        "--placement",
        "native",
        *policies,
        "--restart-rules",
        f"wait={rules}",
        "--state-dir",
        "/run/exeunt",
    ]


@pytest.mark.parametrize("name", ["defaultContainer=main", "container=main", "container={main,wait}"])
def test_kubectl_s_default_container_is_named_beside_a_regular_agent(chart: Path, name: str) -> None:
    (job,) = rendered(chart, "agent.placement=regular", f"agent.{name}").documents
    assert job["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/default-container"] == "main"


@pytest.mark.parametrize("uid", [20001, 1000680000])
def test_the_agent_s_user_is_free_to_choose(chart: Path, tmp_path: Path, uid: int) -> None:
    # Helm reads a number of a file as a float, and one of --set as an integer.
    values = tmp_path / "values.yaml"
    values.write_text(f"agent: {{uid: {uid}}}\n")
    for words in (("--set", f"agent.uid={uid}"), ("--values", values)):
        said = template(*words, chart=chart)
        (job,) = said.documents
        security = job["spec"]["template"]["spec"]["initContainers"][0]["securityContext"]
        assert (security["runAsUser"], security["runAsGroup"]) == (uid, uid)
        assert judge(said.out).ok


def test_the_agent_can_have_the_user_of_its_image(chart: Path) -> None:
    (job,) = rendered(chart, "agent.uid=none").documents
    (agent,) = job["spec"]["template"]["spec"]["initContainers"]
    assert sorted(agent["securityContext"]) == [
        "allowPrivilegeEscalation",
        "capabilities",
        "readOnlyRootFilesystem",
        "runAsNonRoot",
        "seccompProfile",
    ]


def lone_agent(said: Said) -> Resource:
    """The agent in the pod of the only Job, which an API server takes."""
    (job,) = said.documents
    assert judge(said.out).ok
    agent: Resource = job["spec"]["template"]["spec"]["initContainers"][0]
    return agent


@pytest.mark.parametrize("proxy", ["native", "classic"])
def test_every_field_of_the_container_is_free_to_choose(chart: Path, proxy: str) -> None:
    probe = '{"exec":{"command":["/exeunt-agent","--version"]},"periodSeconds":60}'
    settings = [f"agent.proxy={proxy}", "agent.arguments={--drain-timeout,10m}", "agent.image.repository=registry.example/agent"]
    settings += ["agent.image.pullPolicy=Always", "agent.resources.limits.cpu=100m"]
    words = [word for one in settings for word in ("--set", one)]
    agent = lone_agent(template(*words, "--set-json", f'agent.probes={{"livenessProbe":{probe}}}', chart=chart))
    assert agent["args"][0] == "watch"
    assert agent["args"][-2:] == ["--drain-timeout", "10m"]
    assert (agent["image"], agent["imagePullPolicy"]) == ("registry.example/agent:0.1.0", "Always")
    assert agent["resources"] == {"limits": {"cpu": "100m"}}
    assert agent["livenessProbe"] == json.loads(probe)


def test_the_agent_can_have_no_resources_at_all(chart: Path) -> None:
    """As beside resources of the whole pod."""
    assert "resources" not in lone_agent(template("--set-json", 'agent={"resources":{}}', chart=chart))


@pytest.mark.parametrize("settings", [(), CLASSIC])
def test_the_module_is_mounted_by_annotations_of_istio_s(chart: Path, settings: tuple[str, ...]) -> None:
    image = {"reference": "registry.example/agent:v9", "pullPolicy": "Always"}
    for module, volume in (
        ("configMap", {"configMap": {"name": "exeunt-module", "optional": True}}),
        ("image", {"image": image}),
    ):
        more = ("agent.image.repository=registry.example/agent", "agent.image.tag=v9", "agent.image.pullPolicy=Always")
        (job,) = rendered(chart, *settings, *more, f"agent.module={module}").documents
        annotations = job["spec"]["template"]["metadata"]["annotations"]
        assert json.loads(annotations["sidecar.istio.io/userVolume"]) == {"exeunt-module": volume}
        mount = {"mountPath": "/etc/exeunt", "readOnly": True}
        assert json.loads(annotations["sidecar.istio.io/userVolumeMount"]) == {"exeunt-module": mount}
    (job,) = rendered(chart, *settings).documents
    assert not [name for name in job["spec"]["template"]["metadata"]["annotations"] if "userVolume" in name]


@pytest.mark.parametrize("route", ["proxyConfig", "serviceEntry", "none"])
def test_another_route_needs_no_annotation_of_the_listener(chart: Path, route: str) -> None:
    (job,) = rendered(chart, f"agent.route={route}").documents
    assert job["spec"]["template"]["metadata"]["annotations"] == {"sidecar.istio.io/nativeSidecar": "true"}


@pytest.mark.parametrize("settings", [CLASSIC, REGULAR])
def test_a_pod_that_shares_its_processes_can_refuse_root(chart: Path, settings: tuple[str, ...]) -> None:
    said = rendered(chart, *settings, "agent.shareProcesses=unless-root")
    (job,) = said.documents
    spec = job["spec"]["template"]["spec"]
    assert (spec["shareProcessNamespace"], spec["securityContext"]) == (True, {"runAsNonRoot": True})
    assert judge(said.out).ok


def test_a_pod_that_shares_nothing_refuses_nothing(chart: Path) -> None:
    assert rendered(chart, "agent.shareProcesses=unless-root").out == rendered(chart).out
    assert rendered(chart, "agent.shareProcesses=never").out == rendered(chart).out


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("agent.uid=1337", 'uid: "1337" is not allowed: must be none or a user id, 1 to 2147483647, but not 1337'),
        ("agent.uid=root", 'uid: "root" is not allowed: must be none or a user id, 1 to 2147483647, but not 1337'),
        ("agent.uid=2147483648", 'uid: "2147483648" is not allowed: must be none or a user id, 1 to 2147483647, but not 1337'),
        ("agent.shareProcesses=sometimes", 'shareProcesses: "sometimes" is not allowed: must be always, unless-root or never'),
        ("agent.shareProcesses=never,agent.proxy=classic", "shareProcesses is never: must be always or unless-root, "),
        ("agent.shareProcesses=never,agent.placement=regular", "shareProcesses is never: must be always or unless-root"),
        ("agent.module=file", 'module: "file" is not allowed: must be none, configMap or image'),
        (
            "agent.probes.readyProbe.periodSeconds=1",
            'probes: "readyProbe" is not allowed: must be startupProbe, livenessProbe or readinessProbe',
        ),
        ("agent.placement=first", 'placement: "first" is not allowed: must be native or regular'),
        ("agent.proxy=old", 'proxy: "old" is not allowed: must be native or classic'),
        ("agent.restartPolicy=Always", 'restartPolicy: "Always" is not allowed: must be Never or OnFailure'),
        (
            "agent.restartPolicies.main=Sometimes",
            'restartPolicies: main: "Sometimes" is not allowed: must be Never, OnFailure or Always',
        ),
        ("agent.placement=regular", "defaultContainer: must name a container of the pod"),
    ],
)
def test_a_mistake_is_named(chart: Path, wrong: str, says: str) -> None:
    said = rendered(chart, wrong)
    assert not said.ok
    assert says in said.err


def test_the_plugin_comes_along_where_it_is_wanted(chart: Path) -> None:
    kinds = [one["kind"] for one in rendered(chart, "exeunt.plugin.enabled=true").documents]
    assert sorted(kinds) == ["Job", "WasmPlugin"]
