"""Runs every row of docs/airflow-matrix.md again: the real Airflow, and a pod of real processes."""

import logging

import pytest

from exeunt_airflow.container_names import AGENT
from harness import pod
from matrix import OLD_PROVIDER, outcome, table
from pods.process_pod import XCOM_VALUE
from scenarios import COLUMNS, rows_for

ROWS = rows_for(old_provider=OLD_PROVIDER)
needs_pods = pytest.mark.skipif(bool(pod.unavailable()), reason=f"pods cannot run here: {pod.unavailable()}")


@needs_pods
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", ROWS)
def test_the_outcome_is_as_the_table_says(
    row: str, column: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "exeunt_airflow"):
        result = outcome(row, column, monkeypatch)
    assert str(result) == table()[row][column]
    # Airflow shows one log after the other, and the agent's ends after the task.
    assert AGENT not in result.logs
    scenario = ROWS[row]
    # With such an Istio, the annotation of the native column does nothing: the pod is as if there were no agent.
    if column != "without exeunt" and (scenario.form, column) != ("old", "native"):
        assert result.task in (("as the worker reported", "succeeds") if scenario.exit_code == 0 else ("fails",))
        assert result.pod != "stays NotReady"
        if scenario.options.get("do_xcom_push"):
            assert result.value == XCOM_VALUE
        # In the native column, kubelet ends the agent only after XCom's helper, and Airflow calls the callback before that.
        if "callbacks" in scenario.options and (column != "native" or "do_xcom_push" not in scenario.options):
            assert result.pod == "deleted"
        # A native agent ends after XCom's helper. This kubelet removes a deleted pod before anybody could read its last status.
        if "callbacks" in scenario.options and (column.endswith("regular") or "do_xcom_push" not in scenario.options):
            assert caplog.text.count("everything was delivered") == 1


def test_the_table_has_exactly_the_rows_that_run() -> None:
    assert list(table()) == list(ROWS)
