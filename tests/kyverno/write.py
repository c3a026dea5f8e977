"""Writes the files of deploy/kyverno, which are what the chart renders: python3 tests/kyverno/write.py."""

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kyverno"

_HEAD = """\
# The agent in every Job, by Kyverno. README.md beside this file says how to apply it.
#
# The chart writes this file, with {more}: tests/kyverno/write.py. It renders the same with other options.
"""
# Each file, with what it says of its values and with the values.
_FILES = {
    "policies.yaml": ("its default values", ()),
    "policies-with-module.yaml": (
        "plugin.source configMap",
        ("--set", "plugin.source=configMap", "--set", "plugin.configMap.create=false"),
    ),
}
FILES = tuple(_FILES)


def text_of(name: str) -> str:
    """The text of one file: what the chart renders, without the labels of a release."""
    sys.path.insert(0, str(FOLDER.parents[1] / "tests"))
    from chart.programs import template

    more, values = _FILES[name]
    said = template("--set", "inject=kyverno", *values, "--show-only", "templates/kyverno.yaml", namespace="istio-system")
    assert said.ok, said.err
    text = re.sub(r"(?m)^# Source: .*\n|^\n|^    (app\.kubernetes\.io|helm\.sh)/.*\n", "", said.out)
    return _HEAD.format(more=more) + re.sub(r"(?m)^  labels:\n(?!    )", "", text)


def main() -> None:
    """Writes all of them."""
    for name in FILES:
        (FOLDER / name).write_text(text_of(name))


if __name__ == "__main__":
    main()
