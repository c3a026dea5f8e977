"""The picture of Airflow's slots in docs/ and the figures beside it say the same."""

import json
import xml.etree.ElementTree as ElementTree

from harness.paths import ROOT
from slots.picture import draw
from slots.result import Result, read

DOCS = ROOT / "docs"
SVG = "{http://www.w3.org/2000/svg}"


def _measured() -> Result:
    return read(json.loads((DOCS / "airflow-slots.json").read_text()))


def test_the_picture_shows_the_figures() -> None:
    """If this fails, run python3 bench/airflow_slots.py --from docs/airflow-slots.json --svg docs/airflow-slots.svg."""
    assert draw(_measured()) == (DOCS / "airflow-slots.svg").read_text()


def test_without_exeunt_airflow_stops_and_with_it_every_slot_is_free_again() -> None:
    lanes = ElementTree.fromstring((DOCS / "airflow-slots.svg").read_text()).findall(f"{SVG}g[@data-case]")
    without, with_exeunt = (
        {name: lane.get(f"data-{name}") for name in ("succeeded", "slots", "pods", "stuck")} for lane in lanes
    )
    assert without == {"succeeded": "32", "slots": "32", "pods": "32", "stuck": "32"}
    assert with_exeunt == {"succeeded": "64", "slots": "0", "pods": "0", "stuck": "0"}
