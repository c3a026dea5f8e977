"""The page of compatibility is generated, and its evidence exists."""

import importlib.util
from types import ModuleType

import pytest
import yaml

from chart.programs import ROOT

DOCS = ROOT / "docs"


@pytest.fixture
def generator() -> ModuleType:
    """docs/compatibility.py, which is no package's."""
    spec = importlib.util.spec_from_file_location("compatibility", DOCS / "compatibility.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_of_compatibility_is_its_generators(generator: ModuleType) -> None:
    """Where this fails: .cache/venv/bin/python docs/compatibility.py."""
    assert (DOCS / "compatibility.md").read_text() == generator.page(yaml.safe_load((DOCS / "compatibility.yaml").read_text()))


@pytest.mark.parametrize(
    ("evidence", "says"),
    [
        ({"tested": "tests/documents/test_compatibility.py::test_of_nothing"}, "there is no such test"),
        ({"tested": "tests/chart/nothing.py::test_of_nothing"}, "there is no such test"),
        ({"seen": "docs/nothing.md"}, "there is no such file"),
        ({"believed": "firmly"}, "must be one of tested, seen, reasoned, unsupported"),
    ],
)
def test_evidence_that_is_not_there_is_refused(generator: ModuleType, evidence: dict[str, str], says: str) -> None:
    table = {"title": "t", "about": "a", "columns": ["c"], "rows": {"r": [[evidence]]}}
    with pytest.raises(generator.Unproven, match=says):
        generator.page({"tables": [table]})


def test_a_row_with_a_cell_too_few_is_refused(generator: ModuleType) -> None:
    table = {"title": "t", "about": "a", "columns": ["c", "d"], "rows": {"r": [[{"unsupported": "no"}]]}}
    with pytest.raises(generator.Unproven, match="has 1 cells, must have 2"):
        generator.page({"tables": [table]})
