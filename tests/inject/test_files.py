"""The files that an administrator applies: each contains the template, and says no more than that."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from chart.programs import lone, template
from harness.paths import ROOT
from inject import pods
from inject.answers import has_agent
from inject.releases import Release, configuration
from inject.template import with_options
from inject.write import FILES, FOLDER, TEMPLATE, text_of

HELPERS = ROOT / "airflow" / "src" / "exeunt_airflow" / "endless_helpers.txt"


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_the_template_in_another_form(name: str) -> None:
    assert (FOLDER / name).read_text() == text_of(name)


def test_every_file_says_the_same() -> None:
    values = lone(FOLDER / "values.yaml")
    assert values["sidecarInjectorWebhook"]["templates"] == {"exeunt": TEMPLATE.read_text()}
    assert lone(FOLDER / "istio-operator.yaml")["spec"]["values"] == values
    assert lone(FOLDER / "sail.yaml")["spec"]["values"] == values


def test_istio_knows_every_value(release: Release) -> None:
    """The types of the Sail operator's resource are made from this one. The chart takes any value."""
    assert release.values(lone(FOLDER / "values.yaml")).ok
    refused = release.values({"sidecarInjectorWebhook": {"template": {"exeunt": ""}}})
    assert not refused.ok
    assert "template" in refused.err


def test_the_chart_gives_the_injector_the_template_and_keeps_istio_s_own(release: Release) -> None:
    told = [configuration(release.line, values)["config"] for values in (None, FOLDER / "values.yaml")]
    without, having = map(yaml.safe_load, told)
    for config in (without, having):
        config["templates"] = {name: text.strip() for name, text in config["templates"].items()}
    assert having["defaultTemplates"] == ["sidecar", "exeunt"]
    assert having["templates"].pop("exeunt") == TEMPLATE.read_text().strip()
    assert having | {"defaultTemplates": ["sidecar"]} == without


def test_the_injector_reads_what_the_chart_of_exeunt_writes_for_istiod(release: Release, tmp_path: Path) -> None:
    """`inject: istio` with the default values gives every pod what the template gives it."""
    (written,) = template("--set", "inject=istio", "-s", "templates/istiod-values.yaml").documents
    (tmp_path / "values.yaml").write_text(written["data"]["values.yaml"])
    config = yaml.safe_load(configuration(release.line, tmp_path / "values.yaml")["config"])
    assert config["defaultTemplates"] == ["sidecar", "exeunt"]
    for native in (True, False):
        here, there = (
            release.inject(text, native, [pods.job()]) for text in (config["templates"]["exeunt"], TEMPLATE.read_text())
        )
        assert has_agent(here[0])
        assert here == there


def test_the_helpers_are_those_that_the_agent_and_airflow_know() -> None:
    names = [line.split()[0] for line in HELPERS.read_text().splitlines() if line and not line.startswith("#")]
    told = re.search(r"\$helpers := list (.*) \}\}", TEMPLATE.read_text())
    assert told is not None
    assert told[1] == " ".join(f'"{name}"' for name in names)


def test_every_option_is_named_on_the_page() -> None:
    options = re.findall(r"(?m)^\{\{- \$(\w+) := ", TEMPLATE.read_text().partition("{{- $spec := ")[0])
    page = (FOLDER / "README.md").read_text()
    assert "image" in options
    assert [name for name in options if f"`{name}`" not in page] == []


def test_the_image_is_that_of_this_version() -> None:
    version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
    assert re.findall(r"exeunt-agent:([\d.]+)", TEMPLATE.read_text()) == [version]


def test_an_option_that_is_not_there_is_a_mistake_of_the_test() -> None:
    with pytest.raises(AssertionError, match="no option nothing"):
        with_options(nothing='""')
