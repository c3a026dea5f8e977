"""The choice of the scenarios of Airflow, and what a run with them needs. What their tasks are is tested in airflow/tests."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cluster.__main__ import EVERY, chosen
from cluster.airflow import prepare
from cluster.airflow.rows import COLUMNS, ROWS
from cluster.arguments import Mistakes, read
from cluster.errors import RunError
from cluster.options import AIRFLOW, Options

NAMES = [scenario.name for scenario in EVERY]


def test_the_rows_have_scenarios_of_their_own() -> None:
    scenarios = chosen(Options(airflow=True))
    assert scenarios == [one for one in EVERY if one.airflow] == [one for one in EVERY if one.name.startswith(AIRFLOW)]
    assert len(scenarios) > len(ROWS) * len(COLUMNS)


@pytest.mark.parametrize("words", [["--airflow"], []])
def test_a_pattern_means_them_only_with_the_option(words: list[str]) -> None:
    only = read([*words, "--list", "--only", "*-native"], NAMES, {}).only
    assert only
    assert {name.startswith(AIRFLOW) for name in only} == {bool(words)}


def test_two_suites_at_once_are_refused(tmp_path: Path) -> None:
    (tmp_path / "k").write_text("")
    needed = ["--kubeconfig", str(tmp_path / "k"), "--plugin-url", "oci://r.example/x@sha256:0", "--agent-image", "x"]
    with pytest.raises(Mistakes) as raised:
        read([*needed, "--airflow", "--inject", "istio"], NAMES, {})
    assert raised.value.lines == ["--airflow and --inject are not allowed together: each has scenarios of its own"]


def kube(*, allowed: bool) -> Any:
    return SimpleNamespace(create=lambda *_: {"status": {"allowed": allowed}})


def test_a_machine_without_airflow_is_a_loud_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "PYTHON", "")
    with pytest.raises(RunError, match=r"^SKIPPED --airflow: .*-3\.3\.txt could not be installed, so nothing was tested"):
        prepare.check(kube(allowed=True), "x", asked=True)
    prepare.check(kube(allowed=False), "x", asked=False)


def test_a_missing_right_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "PYTHON", "python")
    prepare.check(kube(allowed=True), "x", asked=True)
    with pytest.raises(RunError, match="no right to create pods/exec in namespace x"):
        prepare.check(kube(allowed=False), "x", asked=True)
