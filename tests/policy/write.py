"""Writes deploy/policy/policy.yaml, which is what the chart renders: python3 tests/policy/write.py."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "deploy" / "policy" / "policy.yaml"

_HEAD = """\
# The agent in every Job, by a MutatingAdmissionPolicy, for Kubernetes 1.36 and newer. README.md here says how to use it.
#
# The chart writes this file, with its default values: tests/policy/write.py. It renders the same policy with other options.
"""


def text_of() -> str:
    """The text of the file: what the chart renders, without the labels of a release."""
    sys.path.insert(0, str(ROOT / "tests"))
    from chart.programs import template

    said = template("--set", "inject=policy", "--kube-version", "1.37.0", "--show-only", "templates/policy.yaml")
    assert said.ok, said.err
    text = re.sub(r"(?m)^# Source: .*\n|^  labels:\n(    .*\n)+|^\n", "", said.out)
    return _HEAD + text


def main() -> None:
    """Writes it."""
    FILE.write_text(text_of())


if __name__ == "__main__":
    main()
