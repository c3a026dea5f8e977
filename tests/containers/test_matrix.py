"""MATRIX.md agrees with the tests."""

import subprocess
import sys

from containers.matrix import FILE
from harness.paths import ROOT


def test_every_cell_of_the_matrix_has_a_test_or_a_reason() -> None:
    # In a separate process, because it calls pytest to collect the tests.
    argv = [sys.executable, "-m", "containers.matrix"]
    run = subprocess.run(argv, cwd=ROOT / "tests", capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert FILE.read_text() == run.stdout, "in tests/: python -m containers.matrix > MATRIX.md"
