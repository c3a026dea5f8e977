"""Draws a run as an SVG picture: for each case, what has arrived at the server over time, and how long the proxy ran.

It carries the figures as `data-` attributes, so a test can compare them with the JSON.
"""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from cases import Case, named
from harness import drawing
from harness.drawing import CHART, HEAD, LABELS, VERDICTS, Element, add, text
from result import Result, Run

_LANE = 60
# Between a lane's edges and its chart.
_ABOVE, _BELOW = 12, 13

_LIGHT = """
.written { stroke: #59636e; stroke-dasharray: 2 3 }
.exit { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3 }
.proxy { stroke: #59636e; stroke-width: 4 }
.area { fill: #0969da; opacity: 0.22 }
.curve { stroke: #0969da; stroke-width: 2; fill: none }
.lost { fill: url(#stripes) }
.stripe { stroke: #cf222e; stroke-width: 2.5; opacity: 0.55 }
.stuck { fill: #9a6700 }
.end { fill: none; stroke-width: 2.5; stroke-linecap: round }
.end.good { stroke: #1a7f37 }
.end.bad { stroke: #cf222e }
.end.stuck { stroke: #9a6700 }
"""
_DARK = """
.written { stroke: #9198a1 }
.exit { stroke: #f0f6fc }
.proxy { stroke: #9198a1 }
.area { fill: #4493f8; opacity: 0.3 }
.curve { stroke: #4493f8 }
.stripe { stroke: #f85149; opacity: 0.7 }
.stuck { fill: #d29922 }
.end { fill: none }
.end.good { stroke: #3fb950 }
.end.bad { stroke: #f85149 }
.end.stuck { stroke: #d29922 }
"""


@dataclass(frozen=True)
class _Scale:
    """From milliseconds to the picture's x."""

    until_ms: float

    def x(self, at_ms: float) -> float:
        left, right = CHART
        return round(left + (right - left) * min(at_ms, self.until_ms) / self.until_ms, 1)


def draw(run: Run) -> str:
    """The picture."""
    scale = _Scale(max(max(result.seen_until_ms, result.arrivals[-1][0]) for result in run.results) * 1.02)
    title = f"A task uploads {run.megabytes} MB through its Istio proxy and exits at once"
    about = f"What arrives at a server that reads {_rate(run.rate)}, and how long the proxy runs. Envoy {run.envoy}, measured."
    height = _LANE * len(run.results)
    root = drawing.page(title, about, " ".join(_sentence(result) for result in run.results), height, _LIGHT, _DARK)
    _stripes(root)
    for place, result in enumerate(run.results):
        _lane(root, named(result.name), result, scale, HEAD + place * _LANE)
    _axis(root, scale, HEAD + height)
    return drawing.written(root)


def _lane(root: Element, case: Case, result: Result, scale: _Scale, top: float) -> None:
    figures = {
        "case": result.name,
        "written": str(result.written),
        "delivered": str(result.delivered),
        "task-exit-ms": str(result.task_exit_ms),
        "exit-to-gone-ms": "" if result.exit_to_gone_ms is None else str(result.exit_to_gone_ms),
    }
    lane = drawing.lane(root, top, _LANE, figures, ours="exeunt" in case.name)
    text(lane, LABELS, top + 26, case.title, "text name")
    text(lane, LABELS, top + 45, case.subtitle, "muted")
    _chart(lane, result, scale, top)
    kind, verdict, detail = _verdict(result)
    text(lane, VERDICTS, top + 26, verdict, f"{kind} verdict")
    text(lane, VERDICTS, top + 45, detail, "muted")


def _chart(lane: Element, result: Result, scale: _Scale, top: float) -> None:
    kind, _, _ = _verdict(result)
    floor, ceiling = top + _LANE - _BELOW, top + _ABOVE

    def y(count: int) -> float:
        return round(floor - (floor - ceiling) * count / result.written, 1)

    end = scale.x(result.seen_until_ms)
    points = [(scale.x(at), y(count)) for at, count in result.arrivals]
    last = max(end, points[-1][0])
    points.append((last, points[-1][1]))
    curve = " ".join(f"{x},{height}" for x, height in points)
    add(lane, "polygon", "area", points=f"{points[0][0]},{floor} {curve} {last},{floor}")
    exit_x = scale.x(result.task_exit_ms)
    add(lane, "line", "written", x1=exit_x, y1=ceiling, x2=CHART[1], y2=ceiling)
    if result.lost:
        # What is missing, up to what the task has written.
        add(lane, "rect", "lost", x=last, y=ceiling, width=round(CHART[1] - last, 1), height=y(result.delivered) - ceiling)
    add(lane, "polyline", "curve", points=curve)
    add(lane, "line", "exit", x1=exit_x, y1=ceiling - 5, x2=exit_x, y2=floor + 5)
    add(lane, "line", "proxy", x1=CHART[0], y1=floor, x2=end, y2=floor)
    if result.exit_to_gone_ms is None:
        tip = CHART[1] + 8
        add(lane, "polyline", f"end {kind}", points=f"{end},{floor} {tip},{floor}")
        add(lane, "polyline", f"end {kind}", points=f"{tip - 6},{floor - 6} {tip},{floor} {tip - 6},{floor + 6}")
    elif result.lost:
        _cross(lane, end, floor)
    else:
        add(lane, "line", f"end {kind}", x1=end, y1=floor - 7, x2=end, y2=floor + 7)


def _cross(parent: Element, x: float, y: float) -> None:
    for slope in (6, -6):
        add(parent, "line", "end bad", x1=x - 6, y1=y - slope, x2=x + 6, y2=y + slope)


def _stripes(root: Element) -> None:
    """The pattern of what is lost: it shows without colours, too."""
    pattern = {"id": "stripes", "width": "6", "height": "6", "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    add(ElementTree.SubElement(root, "pattern", pattern), "line", "stripe", x1=0, y1=0, x2=0, y2=6)


def _axis(root: Element, scale: _Scale, top: float) -> None:
    seconds = int(scale.until_ms / 1000)
    ticks = {second: scale.x(second * 1000) for second in range(0, seconds + 1, max(1, round(seconds / 6)))}
    drawing.axis(root, top, ticks, "since the upload began", "./build.sh demo --svg FILE")
    y = top + 48
    x = float(LABELS)
    add(root, "line", "exit", x1=x + 4, y1=y - 13, x2=x + 4, y2=y + 3)
    text(root, x + 16, y, "the task exits", "muted")
    x += 122
    add(root, "rect", "area", x=x, y=y - 12, width=24, height=13)
    add(root, "line", "curve", x1=x, y1=y - 12, x2=x + 24, y2=y - 12)
    text(root, x + 32, y, "has arrived", "muted")
    x += 122
    add(root, "rect", "lost", x=x, y=y - 12, width=24, height=13)
    text(root, x + 32, y, "is lost", "muted")
    x += 92
    add(root, "line", "proxy", x1=x, y1=y - 4, x2=x + 26, y2=y - 4)
    text(root, x + 34, y, "the proxy runs", "muted")
    x += 142
    _cross(root, x + 6, y - 5)
    text(root, x + 20, y, "ends too early", "muted")


def _verdict(result: Result) -> tuple[str, str, str]:
    """The colour, and two lines of text."""
    if result.exit_to_gone_ms is None:
        return "stuck", "The pod never ends", "the proxy still runs"
    if result.lost:
        return "bad", f"{result.lost / 1e6:.1f} MB lost", f"ends {_time(result.exit_to_gone_ms)} after the task"
    # Until the last byte has arrived, the server takes its time.
    return "good", "Nothing lost", f"ends {_time(result.seen_until_ms - result.arrivals[-1][0])} after the last byte"


def _sentence(result: Result) -> str:
    case = named(result.name)
    _, verdict, detail = _verdict(result)
    return f"{case.title}, {case.subtitle}: {verdict[0].lower()}{verdict[1:]}, {detail}."


def _time(ms: float) -> str:
    return f"{max(ms, 0):,.0f} ms" if ms < 995 else f"{ms / 1000:.1f} s"


def _rate(rate: int) -> str:
    return f"{rate / 1e6:g} MB/s" if rate >= 1_000_000 else f"{rate / 1e3:g} kB/s"
