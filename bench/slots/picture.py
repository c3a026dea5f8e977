"""Draws both runs as an SVG picture: the slots in use, the pods, and the tasks that have succeeded, over time.

The picture has its own colours for light and dark backgrounds (prefers-color-scheme), uses no script and no font of its own, and
carries the last figures of each run as `data-` attributes, so a test can compare them with the JSON.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass

from slots.result import Case, Result, Sample

_WIDTH = 920
_HEAD = 86
_LANE = 190
_FOOT = 64
_LABELS = 24
_CHART = (258, 684)
_VERDICTS = 710
# Between a lane's edges and its chart.
_ABOVE, _BELOW = 22, 30

_STYLE = """
text { font-family: -apple-system, BlinkMacSystemFont, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; font-size: 13px }
.card { fill: #ffffff; stroke: #d1d9e0 }
.text { fill: #1f2328 }
.muted { fill: #59636e }
.title { font-size: 20px; font-weight: 600 }
.name, .verdict { font-size: 15px; font-weight: 600 }
.rule { stroke: #d1d9e0 }
.ours { fill: #dafbe1; opacity: 0.5 }
.slots { fill: #0969da; opacity: 0.22 }
.pods { stroke: #0969da; stroke-width: 2; fill: none }
.stuck { stroke: #cf222e; stroke-width: 2; stroke-dasharray: 5 3; fill: none }
.done { stroke: #1a7f37; stroke-width: 2.5; fill: none }
.limit { stroke: #59636e; stroke-dasharray: 2 3 }
.good { fill: #1a7f37 }
.bad { fill: #cf222e }
@media (prefers-color-scheme: dark) {
.card { fill: #0d1117; stroke: #3d444d }
.text { fill: #f0f6fc }
.muted { fill: #9198a1 }
.rule { stroke: #3d444d }
.ours { fill: #12361f; opacity: 0.6 }
.slots { fill: #4493f8; opacity: 0.3 }
.pods { stroke: #4493f8 }
.stuck { stroke: #f85149 }
.done { stroke: #3fb950 }
.limit { stroke: #9198a1 }
.good { fill: #3fb950 }
.bad { fill: #f85149 }
}
"""

_Element = ElementTree.Element


@dataclass(frozen=True)
class _Scale:
    """From seconds and counts to the picture's x and y, in the lane that begins at `top`."""

    until_s: float
    most: int
    top: float = 0

    def x(self, at_s: float) -> float:
        left, right = _CHART
        return round(left + (right - left) * min(at_s, self.until_s) / self.until_s, 1)

    def y(self, count: int) -> float:
        floor, ceiling = self.top + _LANE - _BELOW, self.top + _ABOVE
        return round(floor - (floor - ceiling) * count / self.most, 1)


def draw(result: Result) -> str:
    """The picture."""
    until = max(case.last.at_s for case in result.cases)
    height = _HEAD + _LANE * len(result.cases) + _FOOT
    root = _Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {_WIDTH} {height}",
            "width": str(_WIDTH),
            "height": str(height),
            "role": "img",
            "aria-labelledby": "title description",
        },
    )
    title = f"Airflow runs {result.tasks} tasks on {result.slots} slots, in pods with classic Istio proxies"
    ElementTree.SubElement(root, "title", id="title").text = title
    sentences = [f"{case.name}: {'; '.join(_verdict(case, result)[1:])}." for case in result.cases]
    ElementTree.SubElement(root, "desc", id="description").text = " ".join(sentences)
    ElementTree.SubElement(root, "style").text = _STYLE
    _add(root, "rect", "card", x=0.5, y=0.5, width=_WIDTH - 1, height=height - 1, rx=10)
    _text(root, _LABELS, 36, title, "text title")
    about = f"KubernetesExecutor of Airflow {result.airflow} on Kubernetes {result.kubernetes.removeprefix('v')}, measured."
    _text(root, _LABELS, 60, about, "muted")
    for place, case in enumerate(result.cases):
        _lane(root, case, result, _Scale(until, result.tasks, _HEAD + place * _LANE))
    _axis(root, until, _HEAD + _LANE * len(result.cases))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _lane(root: _Element, case: Case, result: Result, scale: _Scale) -> None:
    last = case.last
    figures = {"succeeded": last.succeeded, "slots": last.slots, "pods": last.pods, "stuck": last.stuck}
    lane = ElementTree.SubElement(
        root, "g", {"data-case": case.name, **{f"data-{name}": str(count) for name, count in figures.items()}}
    )
    if case.name == "with exeunt":
        _add(lane, "rect", "ours", x=1, y=scale.top, width=_WIDTH - 2, height=_LANE)
    _add(lane, "line", "rule", x1=_LABELS, y1=scale.top, x2=_WIDTH - _LABELS, y2=scale.top)
    _text(lane, _LABELS, scale.top + 40, case.name.capitalize(), "text name")
    left, right = _CHART
    for count in (0, result.slots, result.tasks):
        _add(lane, "line", "limit" if count else "rule", x1=left, y1=scale.y(count), x2=right, y2=scale.y(count))
        _text(lane, left - 8, scale.y(count) + 4, str(count), "muted", "end")
    slots = _points(case, scale, lambda sample: sample.slots)
    _add(lane, "polygon", "slots", points=f"{left},{scale.y(0)} {slots} {scale.x(last.at_s)},{scale.y(0)}")
    _add(lane, "polyline", "pods", points=_points(case, scale, lambda sample: sample.pods))
    _add(lane, "polyline", "stuck", points=_points(case, scale, lambda sample: sample.stuck))
    _add(lane, "polyline", "done", points=_points(case, scale, lambda sample: sample.succeeded))
    kind, *lines = _verdict(case, result)
    _text(lane, _VERDICTS, scale.top + 40, lines[0], f"{kind} verdict")
    for place, line in enumerate(lines[1:]):
        _text(lane, _VERDICTS, scale.top + 62 + 20 * place, line, "muted")


def _points(case: Case, scale: _Scale, count: Callable[[Sample], int]) -> str:
    """The corners of a curve that stays as it is until the next sample."""
    points, before = [], 0
    for sample in case.samples:
        if count(sample) != before or not points:
            points += [f"{scale.x(sample.at_s)},{scale.y(before)}", f"{scale.x(sample.at_s)},{scale.y(count(sample))}"]
            before = count(sample)
    return " ".join([*points, f"{scale.x(case.last.at_s)},{scale.y(before)}"])


def _axis(root: _Element, until: float, top: float) -> None:
    _add(root, "line", "rule", x1=_LABELS, y1=top, x2=_WIDTH - _LABELS, y2=top)
    scale = _Scale(until, 1)
    step = max(10, round(until / 6 / 10) * 10)
    for second in range(0, int(until) + 1, step):
        x = scale.x(second)
        _add(root, "line", "rule", x1=x, y1=top, x2=x, y2=top + 6)
        _text(root, x, top + 22, f"{second} s", "muted", "middle")
    _text(root, _VERDICTS, top + 22, "since the first task started", "muted")
    y = top + 48
    _add(root, "rect", "slots", x=_LABELS, y=y - 12, width=24, height=13)
    x = float(_LABELS + 32)
    _text(root, x, y, "slots in use", "muted")
    for kind, label, width in (
        ("pods", "pods", 110),
        ("stuck", "pods whose task has ended", 78),
        ("done", "tasks done", 215),
    ):
        x += width
        _add(root, "line", kind, x1=x, y1=y - 5, x2=x + 26, y2=y - 5)
        _text(root, x + 34, y, label, "muted")
    _text(root, _WIDTH - _LABELS, y, "bench/airflow_slots.py", "muted", "end")


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


def _add(parent: _Element, tag: str, kind: str, **values: float | str) -> None:
    ElementTree.SubElement(parent, tag, {"class": kind, **{name: _number(value) for name, value in values.items()}})


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def _text(parent: _Element, x: float, y: float, text: str, kind: str, anchor: str = "start") -> None:
    ElementTree.SubElement(parent, "text", {"class": kind, "x": _number(x), "y": _number(y), "text-anchor": anchor}).text = text
