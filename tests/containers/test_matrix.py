"""MATRIX.md is what the tests say."""

import subprocess
import sys

from containers.matrix import FILE
from harness.paths import ROOT


def test_every_cell_of_the_matrix_has_a_test_or_a_reason() -> None:
    # In a process of its own, because it has pytest collect the tests.
    argv = [sys.executable, "-m", "containers.matrix"]
    run = subprocess.run(argv, cwd=ROOT / "tests", capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert FILE.read_text() == run.stdout, "run python -m containers.matrix in tests/ and keep what it prints as MATRIX.md"
