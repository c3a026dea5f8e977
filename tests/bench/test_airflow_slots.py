"""The picture of Airflow's slots in docs/ and the figures beside it say the same."""

import json

from harness.paths import ROOT
from slots.picture import draw
from slots.result import Result, read

DOCS = ROOT / "docs"


def _measured() -> Result:
    return read(json.loads((DOCS / "airflow-slots.json").read_text()))


def test_the_picture_shows_the_figures() -> None:
    """If this fails, run python3 bench/airflow_slots.py --from docs/airflow-slots.json --svg docs/airflow-slots.svg."""
    assert draw(_measured()) == (DOCS / "airflow-slots.svg").read_text()


def test_without_exeunt_airflow_stops_and_with_it_every_slot_is_free_again() -> None:
    without, with_exeunt = (case.last for case in _measured().cases)
    assert (without.succeeded, without.slots, without.pods, without.stuck) == (32, 32, 32, 32)
    assert (with_exeunt.succeeded, with_exeunt.slots, with_exeunt.pods, with_exeunt.stuck) == (64, 0, 0, 0)
