"""The pods of the scenarios of tests/cluster, without a cluster."""

from unittest.mock import MagicMock

import pytest

from chart.programs import Resource
from cluster.errors import RunError, Skip
from cluster.scenario import Scenario
from cluster.scenario_run import ScenarioRun
from cluster.scenarios import ALL
from cluster.shape import Where

WHERE = Where("registry.example/task", "registry.example/exeunt-agent:test", "10.0.0.1:9000")
# These ask the cluster for something before they make their pod.
WITHOUT_A_POD = {"late-image-held", "order-wrong", "slow-restart", "restricted-classic", "restricted-native"}


def scenario_pods(patch: pytest.MonkeyPatch) -> dict[str, Resource]:
    """The first pod or Job of each scenario, or of each of its parts, by name; without those of engines and of injected pods."""
    made: dict[str, Resource] = {}

    def create(run: ScenarioRun, body: Resource) -> None:
        made[run.name] = body
        raise RunError("the test has seen the pod")

    patch.setattr(ScenarioRun, "create", create)
    for name in ("need", "collect_evidence", "clean_up"):
        patch.setattr(ScenarioRun, name, lambda *_: None)
    for scenario in ALL:
        if not scenario.engine and not scenario.injected and scenario.name not in WITHOUT_A_POD:
            _begin(scenario)
    return made


def _begin(scenario: Scenario) -> None:
    site = MagicMock(where=WHERE)
    site.stop.is_set.return_value = False
    try:
        scenario.steps(ScenarioRun(site, scenario.name))
    except (RunError, Skip):
        return
