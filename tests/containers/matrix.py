"""The page MATRIX.md: every cell of the matrix has a test, or a reason why it has none.

`python -m containers.matrix`, in tests/, prints the page.
"""

import itertools
import sys
from collections.abc import Iterator

from containers.axes import EVENTS, FORMS, POLICIES, Cell, cells
from containers.coverage import Gap, Test, tests_elsewhere, tests_here
from containers.reasons import REASONS
from harness.paths import ROOT

FILE = ROOT / "tests" / "MATRIX.md"

_INTRODUCTION = """\
# What can happen to a pod, and which test covers it

`python -m containers.matrix`, in `tests/`, makes this page from the markers of the tests; a test fails if it is out of date.
A number in a cell is a test, a letter is the reason why there is none. The tests in `containers/` run real containers with
podman and runc, a real Envoy with a configuration from istiod, Istio's capture rules, and a stand-in for kubelet that follows
kubelet's order ([kubelet.py](containers/kubelet.py)).
"""
_TITLES = {
    ("watch", "native"): "`watch`, the agent as a native sidecar",
    ("watch", "regular"): "`watch`, the agent as a regular container",
    ("exec", "inside"): "`exec`, around the command of the main container",
    ("complete", "inside"): "`complete`, at the end of the main container's script",
}
_FORMS = """\
The forms of the proxy:

- *classic*: a regular container, last in the list;
- *hold*: a regular container, first in the list, with `holdApplicationUntilProxyStarts`;
- *native*: an init container with restartPolicy Always;
- *absent*: no proxy.
"""


def markdown() -> str:
    """The page. Raises `Gap` if a cell has neither a test nor a reason, or if a reason no longer matches any cell."""
    covered = tests_here() | tests_elsewhere()
    numbers = {name: str(number) for number, name in enumerate(covered, 1)}
    letters = {place: _letters(place) for place in range(len(REASONS))}
    entries: dict[Cell, str] = {}
    used, holes = set(), []
    for cell in cells():
        by = [numbers[name] for name in covered if cell in covered[name].cells]
        why = next((place for place, (pattern, _) in enumerate(REASONS) if cell.matches(pattern)), None)
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
    return "\n".join(_lines(entries, covered, letters))


def _lines(entries: dict[Cell, str], covered: dict[str, Test], letters: dict[int, str]) -> Iterator[str]:
    yield from _INTRODUCTION.splitlines()
    for (mode, placement), title in _TITLES.items():
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
    yield from _FORMS.splitlines()
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


if __name__ == "__main__":
    try:
        sys.stdout.write(markdown())
    except Gap as gap:
        sys.exit(str(gap))
