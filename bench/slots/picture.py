"""Draws both runs as an SVG picture: the slots in use, the pods, and the tasks that have succeeded, over time.

It carries the last figures of each run as `data-` attributes, so a test can compare them with the JSON.
"""

from collections.abc import Callable
from dataclasses import dataclass

from harness import drawing
from harness.drawing import CHART, HEAD, LABELS, VERDICTS, Element, add, text
from slots.result import Case, Result, Sample

_LANE = 190
# Between a lane's edges and its chart.
_ABOVE, _BELOW = 22, 30

_LIGHT = """
.slots { fill: #0969da; opacity: 0.22 }
.pods { stroke: #0969da; stroke-width: 2; fill: none }
.stuck { stroke: #cf222e; stroke-width: 2; stroke-dasharray: 5 3; fill: none }
.done { stroke: #1a7f37; stroke-width: 2.5; fill: none }
.limit { stroke: #59636e; stroke-dasharray: 2 3 }
"""
_DARK = """
.slots { fill: #4493f8; opacity: 0.3 }
.pods { stroke: #4493f8 }
.stuck { stroke: #f85149 }
.done { stroke: #3fb950 }
.limit { stroke: #9198a1 }
"""


@dataclass(frozen=True)
class _Scale:
    """From seconds and counts to the picture's x and y, in the lane that begins at `top`."""

    until_s: float
    most: int
    top: float = 0

    def x(self, at_s: float) -> float:
        left, right = CHART
        return round(left + (right - left) * min(at_s, self.until_s) / self.until_s, 1)

    def y(self, count: int) -> float:
        floor, ceiling = self.top + _LANE - _BELOW, self.top + _ABOVE
        return round(floor - (floor - ceiling) * count / self.most, 1)


def draw(result: Result) -> str:
    """The picture."""
    until = max(case.last.at_s for case in result.cases)
    title = f"Airflow runs {result.tasks} tasks on {result.slots} slots, in pods with classic Istio proxies"
    about = f"KubernetesExecutor of Airflow {result.airflow} on Kubernetes {result.kubernetes.removeprefix('v')}, measured."
    sentences = [f"{case.name}: {'; '.join(_verdict(case, result)[1:])}." for case in result.cases]
    height = _LANE * len(result.cases)
    root = drawing.page(title, about, " ".join(sentences), height, _LIGHT, _DARK)
    for place, case in enumerate(result.cases):
        _lane(root, case, result, _Scale(until, result.tasks, HEAD + place * _LANE))
    _axis(root, until, HEAD + height)
    return drawing.written(root)


def _lane(root: Element, case: Case, result: Result, scale: _Scale) -> None:
    last = case.last
    figures = {"succeeded": last.succeeded, "slots": last.slots, "pods": last.pods, "stuck": last.stuck}
    data = {"case": case.name, **{name: str(count) for name, count in figures.items()}}
    lane = drawing.lane(root, scale.top, _LANE, data, ours=case.name == "with exeunt")
    text(lane, LABELS, scale.top + 40, case.name.capitalize(), "text name")
    left, right = CHART
    for count in (0, result.slots, result.tasks):
        add(lane, "line", "limit" if count else "rule", x1=left, y1=scale.y(count), x2=right, y2=scale.y(count))
        text(lane, left - 8, scale.y(count) + 4, str(count), "muted", "end")
    slots = _points(case, scale, lambda sample: sample.slots)
    add(lane, "polygon", "slots", points=f"{left},{scale.y(0)} {slots} {scale.x(last.at_s)},{scale.y(0)}")
    add(lane, "polyline", "pods", points=_points(case, scale, lambda sample: sample.pods))
    add(lane, "polyline", "stuck", points=_points(case, scale, lambda sample: sample.stuck))
    add(lane, "polyline", "done", points=_points(case, scale, lambda sample: sample.succeeded))
    kind, *lines = _verdict(case, result)
    text(lane, VERDICTS, scale.top + 40, lines[0], f"{kind} verdict")
    for place, line in enumerate(lines[1:]):
        text(lane, VERDICTS, scale.top + 62 + 20 * place, line, "muted")


def _points(case: Case, scale: _Scale, count: Callable[[Sample], int]) -> str:
    """The corners of a curve that stays as it is until the next sample."""
    points, before = [], 0
    for sample in case.samples:
        if count(sample) != before or not points:
            points += [f"{scale.x(sample.at_s)},{scale.y(before)}", f"{scale.x(sample.at_s)},{scale.y(count(sample))}"]
            before = count(sample)
    return " ".join([*points, f"{scale.x(case.last.at_s)},{scale.y(before)}"])


def _axis(root: Element, until: float, top: float) -> None:
    scale = _Scale(until, 1)
    ticks = {second: scale.x(second) for second in range(0, int(until) + 1, max(10, round(until / 6 / 10) * 10))}
    drawing.axis(root, top, ticks, "since the first task started", "bench/airflow_slots.py")
    y = top + 48
    add(root, "rect", "slots", x=LABELS, y=y - 12, width=24, height=13)
    x = float(LABELS + 32)
    text(root, x, y, "slots in use", "muted")
    for kind, label, width in (
        ("pods", "pods", 110),
        ("stuck", "pods whose task has ended", 78),
        ("done", "tasks done", 215),
    ):
        x += width
        add(root, "line", kind, x1=x, y1=y - 5, x2=x + 26, y2=y - 5)
        text(root, x + 34, y, label, "muted")


def _verdict(case: Case, result: Result) -> tuple[str, ...]:
    """The colour, and the lines of text."""
    last = case.last
    if last.succeeded == result.tasks:
        done = next(sample.at_s for sample in case.samples if sample.succeeded == result.tasks)
        return "good", f"All {result.tasks} done, {done:.0f} s", f"{last.slots} slots in use", f"{last.pods} pods left"
    full = next((sample.at_s for sample in case.samples if sample.stuck == result.slots), last.at_s)
    stuck = f"{last.stuck} pods whose proxy runs"
    missing = result.tasks - last.succeeded
    return "bad", f"Airflow stops, {full:.0f} s", f"{last.slots} of {result.slots} slots in use", stuck, f"{missing} tasks wait"
