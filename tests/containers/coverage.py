"""Which cells of the matrix the tests cover."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from containers.axes import AXES, Cell, as_tuple, cells
from containers.elsewhere import ELSEWHERE
from harness.paths import ROOT


class Gap(Exception):
    """The matrix has a hole, or a claim in it is wrong; the text names every one."""


@dataclass
class Test:
    """A test: the cells that it covers, and the reason if it is expected to fail."""

    cells: set[Cell]
    fails: str = ""


class _Collector:
    """Keeps the tests that pytest has collected."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Called by pytest."""
        self.items = session.items


def tests_here() -> dict[str, Test]:
    """The tests of this folder in their order, by their markers."""
    collector = _Collector()
    folder = Path(__file__).parent
    # pytest must print nothing, so the project's own options for its output are left out.
    options = ["--collect-only", "-p", "no:terminal", "-o", "addopts=--import-mode=importlib --strict-markers"]
    code = pytest.main([*options, str(folder)], plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise Gap(f"pytest cannot collect {folder.relative_to(ROOT)}: {code!r}")
    covered: dict[str, Test] = {}
    for item in collector.items:
        for marker in item.iter_markers("cell"):
            name = f"{item.path.relative_to(folder.parent)}::{getattr(item, 'originalname', item.name)}"
            test = covered.setdefault(name, Test(set()))
            test.cells.update(_covered_by(item, marker))
            test.fails = next((str(xfail.kwargs["reason"]) for xfail in item.iter_markers("xfail")), "")
    return covered


def _covered_by(item: pytest.Item, marker: pytest.Mark) -> Iterator[Cell]:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    axes = []
    for axis, allowed in AXES.items():
        values = as_tuple(marker.kwargs.get(axis, parameters.get(axis, ())))
        wrong = [value for value in values if value not in allowed]
        if wrong or not values:
            raise Gap(f"{item.nodeid}: {axis} is {wrong or 'missing'}: must be one of {', '.join(allowed)}")
        axes.append(values)
    known = set(cells())
    for values in itertools.product(*axes):
        cell = Cell(*values)
        if cell not in known:
            raise Gap(f"{item.nodeid}: there is no cell {cell}")
        yield cell


def tests_elsewhere() -> dict[str, Test]:
    """The tests of other folders that cover a cell too."""
    covered = {}
    for path, function, pattern in ELSEWHERE:
        if not re.search(rf"^(def|fn) {function}\(", (ROOT / path).read_text(), re.MULTILINE):
            raise Gap(f"{path} has no test {function}")
        covered[f"../{path}::{function}"] = Test({cell for cell in cells() if cell.matches(pattern)})
    return covered
