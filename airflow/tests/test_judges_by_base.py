"""An Airflow that looks at the main container alone as soon as a pod has a second regular container (apache/airflow#71452).

The change is proposed, and no provider has it, so these tests give the installed one its behaviour. Today it looks at the main
container alone where it sees Istio's proxy among the regular containers: in `await_pod_completion`, and where it decides whether
the task has failed. The proposal asks in both places for any second regular container. A regular agent is one, and a native agent
is none.
"""

import tempfile
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

from exeunt_airflow import ExeuntCallback
from exeunt_airflow.settings import Settings
from harness import pod
from matrix import OLD_PROVIDER
from real_airflow.hook_settings import use_settings
from real_airflow.pauses import shorten_pauses
from real_airflow.run import run
from real_airflow.scenario import Scenario

pytestmark = [
    pytest.mark.skipif(bool(pod.unavailable()), reason=f"pods cannot run here: {pod.unavailable()}"),
    pytest.mark.skipif(OLD_PROVIDER, reason="the proposal is for newer providers"),
]

PLACEMENTS = {
    "native": Settings(proxy="native", placement="native"),
    "regular": Settings(proxy="native", placement="regular"),
}
KEEP, DELETE = {"on_finish_action": "keep_pod"}, {"on_finish_action": "delete_pod"}
SEEN: list[bool] = []


def _has_second_container(self: Any, created: Any) -> bool:
    has_second = len(self.pod_manager.read_pod(created).spec.containers) > 1
    SEEN.append(has_second)
    return has_second


@pytest.fixture(params=PLACEMENTS)
def placement(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Airflow with the proposal, and the hook with each placement beside a native proxy."""
    shorten_pauses(monkeypatch)
    use_settings(monkeypatch, PLACEMENTS[request.param])
    monkeypatch.setattr(KubernetesPodOperator, "is_istio_enabled", _has_second_container)
    SEEN.clear()
    return str(request.param)


def outcome(exit_code: int, options: dict[str, Any]) -> str:
    """What becomes of the task and its pod; the proxy is native."""
    with tempfile.TemporaryDirectory() as folder:
        return str(run(Scenario("operator", "native", exit_code, options), Path(folder)))


@pytest.mark.parametrize(("exit_code", "expected"), [(0, "succeeds; kept, Succeeded"), (3, "fails; kept, Failed")])
def test_a_pod_that_is_kept_ends_by_itself(placement: str, exit_code: int, expected: str) -> None:
    assert outcome(exit_code, KEEP) == expected
    # The proposal has been asked.
    assert SEEN
    assert set(SEEN) == {placement == "regular"}


def test_the_callback_waits_for_the_proxy_of_a_pod_that_is_deleted(placement: str) -> None:
    assert outcome(0, DELETE | {"callbacks": ExeuntCallback}) == "succeeds; deleted"
    assert set(SEEN) == {placement == "regular"}


def test_without_the_callback_only_a_pod_with_a_regular_agent_may_be_deleted_earlier(placement: str) -> None:
    seen = outcome(0, DELETE)
    # How early depends on who is faster.
    early = placement == "regular" and seen == "succeeds; deleted while its proxy was running"
    assert early or seen == "succeeds; deleted"
    assert set(SEEN) == {placement == "regular"}
