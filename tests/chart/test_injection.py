"""`inject: istio`: the values for istiod that the chart writes, and the options in them."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.programs import CHART, ROOT, template

TEMPLATE = ROOT / "deploy" / "istio" / "template.tpl"
# The lines of the options, and what they say.
OPTION = "{{- $"


def written(*words: str | Path) -> str:
    """The injection template in the ConfigMap."""
    said = template("--set", "inject=istio", "--set", "plugin.enabled=false", *words)
    (config,) = [one for one in said.documents if one["metadata"]["name"] == "exeunt-istiod-values"]
    webhook = yaml.safe_load(config["data"]["values.yaml"])["sidecarInjectorWebhook"]
    assert webhook["defaultTemplates"] == ["sidecar", "exeunt"]
    text: str = webhook["templates"]["exeunt"]
    return text


def options(text: str, folder: Path) -> dict[str, Any]:
    """The options of a template, as the engine of Go's templates reads them: they are its first variables."""
    names = ["image", "pullPolicy", "select", "signalPort", "placement", "uid", "shareProcesses", "resources", "gracePeriod"]
    names += ["labels", "probes", "module", "arguments", "helpers"]
    head, end, _ = text.partition("{{- $helpers := ")
    lines = head + end + text.removeprefix(head + end).partition("\n")[0]
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("{apiVersion: v2, name: options, version: 1.0.0}\n")
    told = " ".join(f'"{name}" ${name}' for name in names)
    (folder / "templates" / "options.yaml").write_text(f"{lines}\n---\noptions: {{{{ dict {told} | toJson }}}}\n")
    (found,) = template(chart=folder).documents
    read: dict[str, Any] = found["options"]
    return read


def test_the_chart_s_copy_is_the_template() -> None:
    """To write it anew: python3 tests/inject/write.py."""
    assert (CHART / "injection-template.tpl").read_text() == TEMPLATE.read_text()


def test_the_defaults_are_those_of_the_template(tmp_path: Path) -> None:
    here, there = written(), TEMPLATE.read_text()
    assert _without_options(here) == _without_options(there)
    assert options(here, tmp_path / "here") == options(there, tmp_path / "there")


def _without_options(text: str) -> list[str]:
    """The text without the values of the options: everything of their lines up to the sign of equality."""
    lines = text.removesuffix("\n").split("\n")
    last = next(number for number, line in enumerate(lines) if line.startswith("{{- $helpers := "))
    return [line.partition(":=")[0] if line.startswith(OPTION) else line for line in lines[: last + 1]] + lines[last + 1 :]


def test_each_value_reaches_its_option(tmp_path: Path) -> None:
    values = {
        "pods": {
            "select": "labelled",
            "placement": "regular",
            "shareProcesses": "never",
            "gracePeriod": 120,
            "helpers": ["log-shipper"],
            "labels": {"team": "data", "example.com/cost-centre": "7"},
        },
        "agent": {
            "image": {"repository": "registry.example:5000/agent", "tag": "v9", "pullPolicy": "Always"},
            "uid": 1000680000,
            "resources": {"requests": {"cpu": 0.5, "memory": "20Mi"}, "limits": None},
            # Signs that YAML, Go's templates or a regular expression could read in another way.
            "arguments": ["--drain-timeout", "10m", 'a "b" {{ c }} $1 \\ `d` <e>'],
            "probes": {"startupProbe": {"exec": {"command": ["/exeunt-agent", "--version"]}, "periodSeconds": 1000000}},
        },
        "plugin": {"source": "imageVolume", "config": {"signal": {"port": 25190}}},
    }
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values))
    assert options(written("--values", tmp_path / "values.yaml"), tmp_path / "chart") == {
        "image": "registry.example:5000/agent:v9",
        "pullPolicy": "Always",
        "select": "labelled",
        "signalPort": "25190",
        "placement": "regular",
        "uid": "1000680000",
        "shareProcesses": "never",
        "resources": {"requests": {"cpu": 0.5, "memory": "20Mi"}},
        "gracePeriod": "120",
        "labels": {"team": "data", "example.com/cost-centre": "7"},
        "probes": values["agent"]["probes"],
        "module": "image",
        "arguments": values["agent"]["arguments"],
        "helpers": ["log-shipper"],
    }


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("agent.uid=none", {"uid": "none"}),
        ("agent.resources=null", {"resources": {}}),
        ("plugin.source=configMap", {"module": "configMap"}),
        # The injector does not make this listener. The agent is told its port all the same.
        (
            "route=serviceEntry,plugin.config.signal.port=25190,agent.arguments={--x}",
            {"signalPort": "", "arguments": ["--signal-port", "25190", "--x"]},
        ),
        # Istio reads a ProxyConfig before the pod has the label that this one selects.
        ("route=proxyConfig", {"signalPort": "15190"}),
        ("route=none", {"signalPort": "", "arguments": []}),
    ],
)
def test_a_value_can_say_none(settings: str, expected: dict[str, Any], tmp_path: Path) -> None:
    found = options(written("--set", settings), tmp_path / "chart")
    assert {name: found[name] for name in expected} == expected


def test_a_template_without_an_option_is_refused(tmp_path: Path) -> None:
    """Else a value would be without effect."""
    shutil.copytree(CHART, tmp_path / "chart")
    file = tmp_path / "chart" / "injection-template.tpl"
    file.write_text(file.read_text().replace("{{- $gracePeriod := ", "{{- $grace := "))
    said = template("--set", "inject=istio", chart=tmp_path / "chart")
    assert not said.ok
    assert "injection-template.tpl must have one line for the option gracePeriod" in said.err
