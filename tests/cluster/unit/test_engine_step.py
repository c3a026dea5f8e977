"""The step of a workflow, as a program of this machine."""

import os
import signal
import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).resolve().parents[1] / "engines" / "programs" / "step.py"
STEP = [sys.executable, str(PROGRAM)]


def test_it_writes_a_file_and_a_text_and_fails_as_told(tmp_path: Path) -> None:
    words = ["--file", str(tmp_path / "file"), "--size", "7", "--text", str(tmp_path / "text"), "12 MB", "--exit", "3"]
    run = subprocess.run([*STEP, *words], check=False, timeout=30)
    assert run.returncode == 3
    assert (tmp_path / "file").read_bytes() == bytes(7)
    assert (tmp_path / "text").read_text() == "12 MB"


def test_it_does_the_rest_only_after_sigterm(tmp_path: Path) -> None:
    step = subprocess.Popen([*STEP, "--on-sigterm", "--text", str(tmp_path / "text"), "x"], stdout=subprocess.PIPE, text=True)
    assert step.stdout is not None
    with step.stdout:
        assert "waiting" in step.stdout.readline()
        assert not (tmp_path / "text").exists()
        os.kill(step.pid, signal.SIGTERM)
        assert step.wait(30) == 0
    assert (tmp_path / "text").read_text() == "x"
