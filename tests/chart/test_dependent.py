"""The named templates, as another chart includes them."""

import shutil
from pathlib import Path

import pytest

from chart.programs import CHART, HERE, ROOT, Said, judge, lone, template

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


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
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
