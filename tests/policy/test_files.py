"""The files that an administrator applies without the chart, and what the pages say of them."""

import re

import pytest

from chart.programs import CHART, helm, template
from harness.paths import ROOT
from policy.server import Server
from policy.write import FILES, FOLDER, text_of

TEMPLATE = ROOT / "deploy" / "istio" / "template.tpl"
CEL = (CHART / "templates" / "_cel.tpl").read_text()


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_what_the_chart_renders(name: str) -> None:
    assert (FOLDER / name).read_text() == text_of(name)


def test_the_reasons_are_those_of_the_injection_template() -> None:
    """Each sentence of the policy stands in the template; what varies is a star."""
    sentences = re.findall(r'\$skipped = (?:printf )?"((?:[^"\\]|\\.)+)"', TEMPLATE.read_text())
    known = {re.sub(r"%[sqd]", "*", one) for one in sentences}
    part = CEL.partition("- name: skipped\n")[2].partition("\n# Kubelet")[0].replace("' + variables.remedy", "*'")
    lines = re.findall(r"(?m)^ +\? '(.+)'$", part)
    said = [re.sub(r"\"?' \+ .+? \+ '\"?|\{\{ \$port \}\}|unless-root", "*", line) for line in lines]
    assert len(said) > 10
    assert [one for one in said if one not in known] == []


def test_a_cluster_without_such_policies_is_refused_with_the_way_out() -> None:
    said = helm("template", "exeunt", CHART, "--set", "inject=policy", "--kube-version", "1.35.0")
    assert not said.ok
    assert "needs Kubernetes 1.36 or newer, and this is v1.35.0" in said.err


def test_a_cluster_with_the_beta_gets_it(server: Server) -> None:
    version = {one["apiVersion"].rpartition("/")[2] for one in server.policies()}
    assert version == ({"v1"} if server.version >= (1, 36) else {"v1beta1"})


def test_without_the_option_there_is_no_policy() -> None:
    assert "MutatingAdmissionPolicy" not in template().out
