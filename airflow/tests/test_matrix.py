"""Every row of docs/airflow-matrix.md, run anew: the real Airflow, a pod that really runs, and what the table says of it."""

import pytest

from harness import pod
from matrix import VERSION, outcome, table
from scenarios import COLUMNS, of_airflow

ROWS = of_airflow(VERSION)
needs_a_pod = pytest.mark.skipif(bool(pod.unavailable()), reason=f"no pod without a cluster: {pod.unavailable()}")


@needs_a_pod
@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("name", ROWS)
def test_airflow_makes_of_it_what_the_table_says(name: str, column: str, monkeypatch: pytest.MonkeyPatch) -> None:
    result = outcome(name, column, monkeypatch)
    assert str(result) == table()[name][column]
    if column != "without exeunt":
        scenario = ROWS[name]
        good = ("as the worker said", "succeeds") if scenario.exit_code == 0 else ("fails",)
        assert result.task in good
        assert result.pod != "stays NotReady"
        if scenario.options.get("do_xcom_push"):
            assert result.value == {"rows": 42}
        if "callbacks" in scenario.options:
            assert result.pod == "deleted"


def test_the_table_has_exactly_the_rows_that_are_run() -> None:
    assert list(table()) == list(ROWS)
