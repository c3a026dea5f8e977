"""The matrix of what can happen to a pod: every cell has a test, or a reason why not.

`python -m containers.matrix`, in tests/, prints MATRIX.md.
"""

import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from containers.reasons import ELSEWHERE, REASONS
from harness.paths import ROOT

MODES = ("watch", "exec", "complete")
PLACEMENTS = ("native", "regular", "inside")
FORMS = ("classic", "hold", "native", "absent")
POLICIES = ("Never", "OnFailure")
EVENTS = {
    "success": "succeeds, its upload still under way",
    "failure": "fails, by an exit code or a signal",
    "restarts": "fails twice, then succeeds",
    "mains": "is one of two main containers",
    "short": "takes a few milliseconds",
    "early": "ends before the proxy is ready",
    "late-image": "comes late: its image is slow",
    "late-agent": "is over before the agent is there, whose image is slow",
    "agent-lost": "runs, and the agent is killed",
    "agent-lost-draining": "has ended, and the agent is killed in the middle of the drain",
    "no-filter": "ends, and the filter is missing",
    "hung": "ends, and Envoy hangs, for a moment or for ever",
    "proxy-lost": "has ended, and the proxy is killed in the middle of the drain",
    "deleted": "runs, and the pod is deleted",
    "short-grace": "has ended, and the grace period is over before all is delivered",
    "helper": "ends beside a helper that never does, such as Airflow's XCom sidecar",
    "no-state-dir": "ends, and the agent's folder is missing",
    "no-status": "ends, and nobody has told the agent the proxy's form",
    "own-end": "ends its proxy itself",
}
AXES = {"mode": MODES, "placement": PLACEMENTS, "form": FORMS, "policy": POLICIES, "event": tuple(EVENTS)}

# Where everything is written down.
FILE = ROOT / "tests" / "MATRIX.md"

Values = str | tuple[str, ...]


class Gap(Exception):
    """The matrix has a hole, or says something that is not so; the text names every one."""


@dataclass(frozen=True)
class Cell:
    """One thing that can happen to one kind of pod."""

    mode: str
    placement: str
    form: str
    policy: str
    event: str

    def is_among(self, pattern: dict[str, Values]) -> bool:
        """Whether a pattern, which names the values of some axes, takes it in."""
        return all(getattr(self, axis) in _tuple(values) for axis, values in pattern.items())

    def __str__(self) -> str:
        return f"{self.mode}, {self.placement}, {self.form}, {self.policy}, {self.event}"


def cells() -> Iterator[Cell]:
    """All of them: an agent that watches has a container of its own, the others have none."""
    for words in itertools.product(MODES, PLACEMENTS, FORMS, POLICIES, EVENTS):
        cell = Cell(*words)
        if (cell.mode == "watch") == (cell.placement != "inside"):
            yield cell


class _Collector:
    """Keeps what pytest has collected."""

    def __init__(self) -> None:
        self.items: list[pytest.Item] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Called by pytest."""
        self.items = session.items


@dataclass
class Test:
    """A test: what it covers, and why it is expected to fail where it is."""

    cells: set[Cell]
    fails: str = ""


def tests() -> dict[str, Test]:
    """The tests of this folder, in their order, by what their markers say."""
    collector = _Collector()
    folder = Path(__file__).parent
    # Without a word on stdout, and so without the project's own options for what is printed.
    options = ["--collect-only", "-p", "no:terminal", "-o", "addopts=--import-mode=importlib --strict-markers"]
    code = pytest.main([*options, str(folder)], plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise Gap(f"pytest cannot collect {folder.relative_to(ROOT)}: {code!r}")
    covered: dict[str, Test] = {}
    for item in collector.items:
        for marker in item.iter_markers("cell"):
            name = f"{item.path.relative_to(FILE.parent)}::{getattr(item, 'originalname', item.name)}"
            test = covered.setdefault(name, Test(set()))
            test.cells.update(_covered_by(item, marker))
            test.fails = next((str(xfail.kwargs["reason"]) for xfail in item.iter_markers("xfail")), "")
    return covered


def _covered_by(item: pytest.Item, marker: pytest.Mark) -> Iterator[Cell]:
    parameters = item.callspec.params if hasattr(item, "callspec") else {}
    axes = []
    for axis, allowed in AXES.items():
        values = _tuple(marker.kwargs.get(axis, parameters.get(axis, ())))
        wrong = [value for value in values if value not in allowed]
        if wrong or not values:
            raise Gap(f"{item.nodeid}: {axis} is {wrong or 'missing'}: must be among {', '.join(allowed)}")
        axes.append(values)
    known = set(cells())
    for words in itertools.product(*axes):
        cell = Cell(*words)
        if cell not in known:
            raise Gap(f"{item.nodeid}: there is no cell {cell}")
        yield cell


def elsewhere() -> dict[str, Test]:
    """The tests of other tiers that cover a cell too."""
    covered = {}
    for path, function, pattern in ELSEWHERE:
        if not re.search(rf"^(def|fn) {function}\(", (ROOT / path).read_text(), re.MULTILINE):
            raise Gap(f"{path} has no test {function}")
        covered[f"../{path}::{function}"] = Test({cell for cell in cells() if cell.is_among(pattern)})
    return covered


def markdown() -> str:
    """The text of MATRIX.md. Raises `Gap` where a cell has neither test nor reason, and where a reason is no longer one."""
    covered = tests() | elsewhere()
    numbers = {name: str(number) for number, name in enumerate(covered, 1)}
    letters = {place: _letters(place) for place in range(len(REASONS))}
    entries: dict[Cell, str] = {}
    used, holes = set(), []
    for cell in cells():
        by = [numbers[name] for name in covered if cell in covered[name].cells]
        why = next((place for place, (pattern, _) in enumerate(REASONS) if cell.is_among(pattern)), None)
        if by:
            entries[cell] = " ".join(by)
        elif why is not None:
            entries[cell] = letters[why]
            used.add(why)
        else:
            holes.append(f"neither a test nor a reason: {cell}")
    holes += [f"a reason without a cell: {reason}" for place, (_, reason) in enumerate(REASONS) if place not in used]
    if holes:
        raise Gap("\n".join(holes))
    return "\n".join(_document(entries, covered, letters))


def _document(entries: dict[Cell, str], covered: dict[str, Test], letters: dict[int, str]) -> Iterator[str]:
    yield "# What can happen to a pod, and where it is tested"
    yield ""
    yield "Made by `python -m containers.matrix` in `tests/`, from the tests themselves, which fail where this file differs."
    yield "A number is a test, a letter a reason why there is none. All but those of other folders run real containers: podman"
    yield "and runc, a real Envoy with a configuration that istiod made, Istio's capture rules, and kubelet's order of things"
    yield "([kubelet.py](containers/kubelet.py))."
    titles = {
        ("watch", "native"): "`watch`, the agent as a native sidecar",
        ("watch", "regular"): "`watch`, the agent as a regular container",
        ("exec", "inside"): "`exec`, around the main container's command",
        ("complete", "inside"): "`complete`, at the end of the main container's script",
    }
    for (mode, placement), title in titles.items():
        yield ""
        yield f"## {title}"
        yield ""
        columns = list(itertools.product(FORMS, POLICIES))
        yield "| The task … | " + " | ".join(f"{form}, {policy}" for form, policy in columns) + " |"
        yield "|---" * (len(columns) + 1) + "|"
        for event, sentence in EVENTS.items():
            row = [entries[Cell(mode, placement, form, policy, event)] for form, policy in columns]
            yield f"| {sentence} | " + " | ".join(row) + " |"
    yield ""
    yield "The forms of the proxy: *classic*, a regular container listed last; *hold*, listed first with"
    yield "`holdApplicationUntilProxyStarts`; *native*, an init container with restartPolicy Always; *absent*, none."
    yield ""
    yield "## Tests"
    yield ""
    for number, (name, test) in enumerate(covered.items(), 1):
        path, _, function = name.partition("::")
        does_not_hold = f" **This does not hold yet**: {test.fails}." if test.fails else ""
        yield f"{number}. [{function.removeprefix('test_').replace('_', ' ')}]({path}){does_not_hold}"
    yield ""
    yield "## Reasons"
    yield ""
    for place, (_, reason) in enumerate(REASONS):
        yield f"- **{letters[place]}** {reason}"
    yield ""


def _letters(place: int) -> str:
    return chr(ord("a") + place) if place < 26 else f"a{chr(ord('a') + place - 26)}"


def _tuple(values: Values | Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)


if __name__ == "__main__":
    try:
        sys.stdout.write(markdown())
    except Gap as gap:
        sys.exit(str(gap))
