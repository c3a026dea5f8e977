"""The files that an administrator applies without the chart, and what the page says of them."""

import re

import pytest
import yaml

from chart.programs import CHART, judge, template
from kyverno.engine import definitions
from kyverno.write import FILES, FOLDER, text_of

README = (FOLDER / "README.md").read_text()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_the_chart_renders(name: str) -> None:
    assert (FOLDER / name).read_text() == text_of(name)


@pytest.mark.parametrize("name", FILES)
def test_an_api_server_with_kyverno_takes_it(name: str) -> None:
    policies = [one for one in yaml.safe_load_all((FOLDER / name).read_text()) if one["kind"] != "ClusterRole"]
    said = judge(yaml.safe_dump_all(policies), definitions())
    assert said.ok, said.out


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha1"])
def test_the_version_is_the_newest_that_the_cluster_has(version: str) -> None:
    all_versions = ["v1alpha1", "v1beta1", "v1"]
    served = [f"policies.kyverno.io/{one}/MutatingPolicy" for one in all_versions[: all_versions.index(version) + 1]]
    said = template("--set", "inject=kyverno", *(word for one in served for word in ("--api-versions", one)))
    found = {one["apiVersion"] for one in said.documents if one["kind"] == "MutatingPolicy"}
    assert found == {f"policies.kyverno.io/{version}"}


def test_without_the_option_there_is_no_policy() -> None:
    assert "policies.kyverno.io" not in template().out


def test_every_option_is_on_the_page() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    named = [f"pods.{name}" for name in values["pods"]] + [f"agent.{name}" for name in values["agent"]]
    assert [name for name in named if f"`{name}`" not in README] == []


def test_the_page_names_the_policies() -> None:
    found = {one["metadata"]["name"] for name in FILES for one in yaml.safe_load_all((FOLDER / name).read_text())}
    assert found <= set(re.findall(r"exeunt\.dev[\w-]*", README))
