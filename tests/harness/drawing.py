"""What the pictures of the documents have in common: a page with a title, its colours, and small parts.

A picture has its own colours for light and dark backgrounds (prefers-color-scheme), and uses no script and no font of its own.
Its description is for readers who cannot see it.
"""

import xml.etree.ElementTree as ElementTree

Element = ElementTree.Element

WIDTH = 920
# The height of the title, and of the axis below the lanes.
HEAD = 86
FOOT = 64
# The left edges of the labels and of the verdicts, and both edges of the charts between them.
LABELS = 24
VERDICTS = 710
CHART = (258, 684)

_LIGHT = """
text { font-family: -apple-system, BlinkMacSystemFont, "Segoe UI", "Noto Sans", Helvetica, Arial, sans-serif; font-size: 13px }
.card { fill: #ffffff; stroke: #d1d9e0 }
.text { fill: #1f2328 }
.muted { fill: #59636e }
.title { font-size: 20px; font-weight: 600 }
.name, .verdict { font-size: 15px; font-weight: 600 }
.rule { stroke: #d1d9e0 }
.ours { fill: #dafbe1; opacity: 0.5 }
.good { fill: #1a7f37 }
.bad { fill: #cf222e }"""
_DARK = """
.card { fill: #0d1117; stroke: #3d444d }
.text { fill: #f0f6fc }
.muted { fill: #9198a1 }
.rule { stroke: #3d444d }
.ours { fill: #12361f; opacity: 0.6 }
.good { fill: #3fb950 }
.bad { fill: #f85149 }"""


def page(title: str, about: str, description: str, lanes_height: float, light: str, dark: str) -> Element:
    """A picture with a title and a line about it. `light` and `dark` are the style rules of its own parts."""
    height = HEAD + lanes_height + FOOT
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {_number(height)}",
            "width": str(WIDTH),
            "height": _number(height),
            "role": "img",
            "aria-labelledby": "title description",
        },
    )
    ElementTree.SubElement(root, "title", id="title").text = title
    ElementTree.SubElement(root, "desc", id="description").text = description
    style = f"{_LIGHT}{light}@media (prefers-color-scheme: dark) {{{_DARK}{dark}}}\n"
    ElementTree.SubElement(root, "style").text = style
    add(root, "rect", "card", x=0.5, y=0.5, width=WIDTH - 1, height=height - 1, rx=10)
    text(root, LABELS, 36, title, "text title")
    text(root, LABELS, 60, about, "muted")
    return root


def written(root: Element) -> str:
    """The picture as a file."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def lane(root: Element, top: float, height: float, data: dict[str, str], *, ours: bool) -> Element:
    """A lane that begins at `top`, with its figures as `data-` attributes, so a test can compare them with the JSON."""
    group = ElementTree.SubElement(root, "g", {f"data-{name}": value for name, value in data.items()})
    if ours:
        add(group, "rect", "ours", x=1, y=top, width=WIDTH - 2, height=height)
    add(group, "line", "rule", x1=LABELS, y1=top, x2=WIDTH - LABELS, y2=top)
    return group


def axis(root: Element, top: float, ticks: dict[int, float], since: str, made_by: str) -> None:
    """The axis below the lanes, with the place of each second that has a tick."""
    add(root, "line", "rule", x1=LABELS, y1=top, x2=WIDTH - LABELS, y2=top)
    for second, x in ticks.items():
        add(root, "line", "rule", x1=x, y1=top, x2=x, y2=top + 6)
        text(root, x, top + 22, f"{second} s", "muted", "middle")
    text(root, VERDICTS, top + 22, since, "muted")
    text(root, WIDTH - LABELS, top + 48, made_by, "muted", "end")


def add(parent: Element, tag: str, kind: str, **values: float | str) -> None:
    """A shape with the class `kind`."""
    ElementTree.SubElement(parent, tag, {"class": kind, **{name: _number(value) for name, value in values.items()}})


def text(parent: Element, x: float, y: float, words: str, kind: str, anchor: str = "start") -> None:
    """A line of text with the class `kind`."""
    ElementTree.SubElement(parent, "text", {"class": kind, "x": _number(x), "y": _number(y), "text-anchor": anchor}).text = words


def _number(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
