"""Which scenarios a command line asks for, and what a run with engines needs of the cluster."""

from typing import Any

import pytest

from cluster.__main__ import EVERY, _command, chosen
from cluster.engines import prepare
from cluster.engines.kinds import ENGINES
from cluster.errors import Refused, RunError
from cluster.options import ENGINES as NAMES
from cluster.options import INJECTED, WAYS, Options

Json = dict[str, Any]


class FakeKube:
    """A cluster with some custom resources, and a user with some rights."""

    server = "https://cluster"

    def __init__(self, served: tuple[str, ...], forbidden: tuple[str, ...] = ()) -> None:
        self._served = served
        self._forbidden = forbidden

    def get(self, path: str) -> Json:
        """The resources of a group."""
        for engine in ENGINES.values():
            if path == f"/apis/{engine.group}" and engine.name in self._served:
                return {"resources": [{"name": engine.plural}]}
        raise Refused(404, "not found")

    def create(self, _namespace: str, body: Json) -> Json:
        """The answer to a question for a right."""
        resource = body["spec"]["resourceAttributes"]["resource"]
        return {"status": {"allowed": resource not in self._forbidden}}


def refusal(kube: FakeKube, engines: list[str]) -> tuple[str, ...]:
    fake: Any = kube
    with pytest.raises(RunError) as raised:
        prepare.check(fake, "x", engines)
    return raised.value.lines


def test_an_engine_that_the_cluster_does_not_have_is_named_and_the_run_refused() -> None:
    (line,) = refusal(FakeKube(("tekton",)), ["argo", "tekton"])
    assert line.startswith(
        "SKIPPED --engines argo: https://cluster has no Workflow in argoproj.io/v1alpha1, so nothing was tested"
    )


def test_a_missing_right_is_named() -> None:
    lines = refusal(FakeKube(("argo",), ("roles",)), ["argo"])
    assert lines == ("no right to create roles.rbac.authorization.k8s.io in namespace x",)


def test_a_run_without_engines_needs_none() -> None:
    fake: Any = FakeKube(())
    prepare.check(fake, "x", [])


def test_the_options_know_every_engine() -> None:
    assert set(NAMES) == set(ENGINES)


@pytest.mark.parametrize("engines", [[], ["argo"], ["tekton"], ["argo", "tekton"]])
def test_the_scenarios_of_the_named_engines_are_run_and_no_others(engines: list[str]) -> None:
    scenarios = chosen(Options(engines=engines))
    assert {scenario.engine for scenario in scenarios} == set(engines or [""])
    assert scenarios == [one for one in EVERY if one.engine in (engines or [""]) and not (one.injected or one.airflow)]


def test_a_scenario_of_an_engine_can_be_named_alone() -> None:
    assert [(one.name, one.engine) for one in chosen(Options(only=["tekton-fail"]))] == [("tekton-fail", "tekton")]


@pytest.mark.parametrize("way", WAYS)
def test_ordinary_jobs_have_scenarios_of_their_own(way: str) -> None:
    scenarios = chosen(Options(inject=way))
    assert scenarios == [one for one in EVERY if one.injected]
    assert {one.name.startswith(INJECTED) for one in scenarios} == {True}
    assert not any(one.name.startswith(INJECTED) for one in EVERY if not one.injected)


def test_the_command_in_the_report_names_no_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--kubeconfig", "/home/a/config", "--module", "/home/a/exeunt.wasm", "--only", "x", "--report", "/home/a/r"]
    monkeypatch.setattr("sys.argv", ["cluster", *words])
    assert _command() == "./build.sh e2e --kubeconfig config --module exeunt.wasm --only x --report r"


def test_no_two_scenarios_have_the_same_name() -> None:
    names = [scenario.name for scenario in EVERY]
    assert len(set(names)) == len(names)
