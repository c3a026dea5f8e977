"""Writes the files of deploy/policy, which are what the chart renders: python3 tests/policy/write.py."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "policy"

# Each file, with its first lines and what the chart is told.
FILES = {
    "policy.yaml": (
        """\
# The agent in every Job, by a MutatingAdmissionPolicy, for Kubernetes 1.36 and newer. README.md here says how to use it.
#
# The chart writes this file, with its default values: tests/policy/write.py. It renders the same policy with other options.
""",
        ("inject=policy",),
    ),
    "warn.yaml": (
        """\
# Shows a mistake in a pod, Job or CronJob to whoever applies it, by a ValidatingAdmissionPolicy, for Kubernetes 1.30 and newer.
# It refuses nothing. docs/troubleshooting.md has the rules.
#
# The chart writes this file, with its default values: tests/policy/write.py. If Istio's template adds the agent to your pods, let
# the chart write it with inject=istio: then a Job without an agent is no mistake.
""",
        ("warn.enabled=true",),
    ),
}


def text_of(name: str) -> str:
    """The text of a file: what the chart renders, without the labels of a release."""
    sys.path.insert(0, str(ROOT / "tests"))
    from chart.programs import template

    head, values = FILES[name]
    told = [word for value in values for word in ("--set", value)]
    said = template(*told, "--kube-version", "1.37.0", "--show-only", f"templates/{name}")
    assert said.ok, said.err
    return head + re.sub(r"(?m)^# Source: .*\n|^  labels:\n(    .*\n)+|^\n", "", said.out)


def main() -> None:
    """Writes them."""
    for name in FILES:
        (FOLDER / name).write_text(text_of(name))


if __name__ == "__main__":
    main()
