"""Draws a run as an SVG picture: for each case, what has arrived at the server over time, and how long the proxy ran.

The picture has its own colours for light and dark backgrounds (prefers-color-scheme), uses no script and no font of its own, and
carries the figures as `data-` attributes, so a test can compare them with the JSON.
"""

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from cases import Case, named
from result import Result, Run

_WIDTH = 920
_HEAD = 86
_LANE = 60
_FOOT = 64
_LABELS = 24
_CHART = (258, 684)
_VERDICTS = 710
# Between a lane's edges and its chart.
_ABOVE, _BELOW = 12, 13

_STYLE = """
text { font-family: -apple-system, BlinkMacSystemFont, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; font-size: 13px }
.card { fill: #ffffff; stroke: #d1d9e0 }
.text { fill: #1f2328 }
.muted { fill: #59636e }
.title { font-size: 20px; font-weight: 600 }
.name, .verdict { font-size: 15px; font-weight: 600 }
.rule { stroke: #d1d9e0 }
.ours { fill: #dafbe1; opacity: 0.5 }
.written { stroke: #59636e; stroke-dasharray: 2 3 }
.exit { stroke: #1f2328; stroke-width: 1.5; stroke-dasharray: 4 3 }
.proxy { stroke: #59636e; stroke-width: 4 }
.area { fill: #0969da; opacity: 0.22 }
.curve { stroke: #0969da; stroke-width: 2; fill: none }
.lost { fill: url(#stripes) }
.stripe { stroke: #cf222e; stroke-width: 2.5; opacity: 0.55 }
.good { fill: #1a7f37 }
.bad { fill: #cf222e }
.stuck { fill: #9a6700 }
.end { fill: none; stroke-width: 2.5; stroke-linecap: round }
.end.good { stroke: #1a7f37 }
.end.bad { stroke: #cf222e }
.end.stuck { stroke: #9a6700 }
@media (prefers-color-scheme: dark) {
.card { fill: #0d1117; stroke: #3d444d }
.text { fill: #f0f6fc }
.muted { fill: #9198a1 }
.rule { stroke: #3d444d }
.ours { fill: #12361f; opacity: 0.6 }
.written { stroke: #9198a1 }
.exit { stroke: #f0f6fc }
.proxy { stroke: #9198a1 }
.area { fill: #4493f8; opacity: 0.3 }
.curve { stroke: #4493f8 }
.stripe { stroke: #f85149; opacity: 0.7 }
.good { fill: #3fb950 }
.bad { fill: #f85149 }
.stuck { fill: #d29922 }
.end { fill: none }
.end.good { stroke: #3fb950 }
.end.bad { stroke: #f85149 }
.end.stuck { stroke: #d29922 }
}
"""

_Element = ElementTree.Element


@dataclass(frozen=True)
class _Scale:
    """From milliseconds to the picture's x."""

    until_ms: float

    def x(self, at_ms: float) -> float:
        left, right = _CHART
        return round(left + (right - left) * min(at_ms, self.until_ms) / self.until_ms, 1)


def draw(run: Run) -> str:
    """The picture."""
    scale = _Scale(max(max(result.seen_until_ms, result.arrivals[-1][0]) for result in run.results) * 1.02)
    height = _HEAD + _LANE * len(run.results) + _FOOT
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
    title = f"A task uploads {run.megabytes} MB through its Istio proxy and exits at once"
    ElementTree.SubElement(root, "title", id="title").text = title
    ElementTree.SubElement(root, "desc", id="description").text = " ".join(_sentence(result) for result in run.results)
    ElementTree.SubElement(root, "style").text = _STYLE
    _stripes(root)
    _add(root, "rect", "card", x=0.5, y=0.5, width=_WIDTH - 1, height=height - 1, rx=10)
    _text(root, _LABELS, 36, title, "text title")
    about = f"What arrives at a server that reads {_rate(run.rate)}, and how long the proxy runs. Envoy {run.envoy}, measured."
    _text(root, _LABELS, 60, about, "muted")
    for place, result in enumerate(run.results):
        _lane(root, named(result.name), result, scale, _HEAD + place * _LANE)
    _axis(root, scale, _HEAD + _LANE * len(run.results))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _lane(root: _Element, case: Case, result: Result, scale: _Scale, top: float) -> None:
    figures = {
        "data-case": result.name,
        "data-written": str(result.written),
        "data-delivered": str(result.delivered),
        "data-task-exit-ms": str(result.task_exit_ms),
        "data-exit-to-gone-ms": "" if result.exit_to_gone_ms is None else str(result.exit_to_gone_ms),
    }
    lane = ElementTree.SubElement(root, "g", figures)
    if "exeunt" in case.name:
        _add(lane, "rect", "ours", x=1, y=top, width=_WIDTH - 2, height=_LANE)
    _add(lane, "line", "rule", x1=_LABELS, y1=top, x2=_WIDTH - _LABELS, y2=top)
    _text(lane, _LABELS, top + 26, case.title, "text name")
    _text(lane, _LABELS, top + 45, case.subtitle, "muted")
    _chart(lane, result, scale, top)
    kind, verdict, detail = _verdict(result)
    _text(lane, _VERDICTS, top + 26, verdict, f"{kind} verdict")
    _text(lane, _VERDICTS, top + 45, detail, "muted")


def _chart(lane: _Element, result: Result, scale: _Scale, top: float) -> None:
    kind, _, _ = _verdict(result)
    floor, ceiling = top + _LANE - _BELOW, top + _ABOVE

    def y(count: int) -> float:
        return round(floor - (floor - ceiling) * count / result.written, 1)

    end = scale.x(result.seen_until_ms)
    points = [(scale.x(at), y(count)) for at, count in result.arrivals]
    last = max(end, points[-1][0])
    points.append((last, points[-1][1]))
    curve = " ".join(f"{x},{height}" for x, height in points)
    _add(lane, "polygon", "area", points=f"{points[0][0]},{floor} {curve} {last},{floor}")
    exit_x = scale.x(result.task_exit_ms)
    _add(lane, "line", "written", x1=exit_x, y1=ceiling, x2=_CHART[1], y2=ceiling)
    if result.lost:
        # What is missing, up to what the task has written.
        _add(lane, "rect", "lost", x=last, y=ceiling, width=round(_CHART[1] - last, 1), height=y(result.delivered) - ceiling)
    _add(lane, "polyline", "curve", points=curve)
    _add(lane, "line", "exit", x1=exit_x, y1=ceiling - 5, x2=exit_x, y2=floor + 5)
    _add(lane, "line", "proxy", x1=_CHART[0], y1=floor, x2=end, y2=floor)
    if result.exit_to_gone_ms is None:
        tip = _CHART[1] + 8
        _add(lane, "polyline", f"end {kind}", points=f"{end},{floor} {tip},{floor}")
        _add(lane, "polyline", f"end {kind}", points=f"{tip - 6},{floor - 6} {tip},{floor} {tip - 6},{floor + 6}")
    elif result.lost:
        _cross(lane, end, floor)
    else:
        _add(lane, "line", f"end {kind}", x1=end, y1=floor - 7, x2=end, y2=floor + 7)


def _cross(parent: _Element, x: float, y: float) -> None:
    for slope in (6, -6):
        _add(parent, "line", "end bad", x1=x - 6, y1=y - slope, x2=x + 6, y2=y + slope)


def _stripes(root: _Element) -> None:
    """The pattern of what is lost: it shows without colours, too."""
    pattern = {"id": "stripes", "width": "6", "height": "6", "patternUnits": "userSpaceOnUse", "patternTransform": "rotate(45)"}
    _add(ElementTree.SubElement(root, "pattern", pattern), "line", "stripe", x1=0, y1=0, x2=0, y2=6)


def _axis(root: _Element, scale: _Scale, top: float) -> None:
    _add(root, "line", "rule", x1=_LABELS, y1=top, x2=_WIDTH - _LABELS, y2=top)
    seconds = int(scale.until_ms / 1000)
    step = max(1, round(seconds / 6))
    for second in range(0, seconds + 1, step):
        x = scale.x(second * 1000)
        _add(root, "line", "rule", x1=x, y1=top, x2=x, y2=top + 6)
        _text(root, x, top + 22, f"{second} s", "muted", "middle")
    _text(root, _VERDICTS, top + 22, "since the upload began", "muted")
    y = top + 48
    x = float(_LABELS)
    _add(root, "line", "exit", x1=x + 4, y1=y - 13, x2=x + 4, y2=y + 3)
    _text(root, x + 16, y, "the task exits", "muted")
    x += 122
    _add(root, "rect", "area", x=x, y=y - 12, width=24, height=13)
    _add(root, "line", "curve", x1=x, y1=y - 12, x2=x + 24, y2=y - 12)
    _text(root, x + 32, y, "has arrived", "muted")
    x += 122
    _add(root, "rect", "lost", x=x, y=y - 12, width=24, height=13)
    _text(root, x + 32, y, "is lost", "muted")
    x += 92
    _add(root, "line", "proxy", x1=x, y1=y - 4, x2=x + 26, y2=y - 4)
    _text(root, x + 34, y, "the proxy runs", "muted")
    x += 142
    _cross(root, x + 6, y - 5)
    _text(root, x + 20, y, "ends too early", "muted")
    _text(root, _WIDTH - _LABELS, y, "./build.sh demo --svg FILE", "muted", "end")


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


def _add(parent: _Element, tag: str, kind: str, **values: float | str) -> None:
    ElementTree.SubElement(parent, tag, {"class": kind, **{name: _number(value) for name, value in values.items()}})


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")


def _text(parent: _Element, x: float, y: float, text: str, kind: str, anchor: str = "start") -> None:
    ElementTree.SubElement(parent, "text", {"class": kind, "x": _number(x), "y": _number(y), "text-anchor": anchor}).text = text
