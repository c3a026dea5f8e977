"""The demo, the first command of the README."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import messages
from harness.paths import ROOT
from harness.process import parents
from harness.release import NEWEST
from harness.wait import until

DEMO = [sys.executable, str(ROOT / "demo" / "demo.py")]


def test_three_acts_end_as_the_readme_says(folder: Path) -> None:
    result = folder / "demo.json"
    run = subprocess.run([*DEMO, "--json", str(result)], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr
    document = json.loads(result.read_text())
    assert list(document) == ["envoy", "wasmBytes", "agentBytes", "acts"]
    assert document["envoy"] == NEWEST
    acts = {act["name"]: act for act in document["acts"]}
    assert list(acts) == ["nothing", "sigkill", "exeunt"]
    for act in document["acts"]:
        assert list(act) == ["name", "ended", "exitToGoneMs", "bytesWritten", "bytesDelivered", "route"]
        assert act["bytesWritten"] == 12_000_000
    assert (acts["nothing"]["ended"], acts["nothing"]["exitToGoneMs"]) == (False, None)
    assert acts["sigkill"]["bytesDelivered"] < 12_000_000
    assert acts["exeunt"]["ended"]
    assert acts["exeunt"]["bytesDelivered"] == 12_000_000
    assert messages.is_by_filter(acts["exeunt"]["route"])
    # stdout is not a terminal: no colours.
    assert "\033" not in run.stdout


def test_every_mistake_in_the_command_line_is_named_at_once() -> None:
    wrong = ["--megabytes", "0", "--rate", "fast", "--envoy", "latest", "--json", "/nowhere/x", "--colour"]
    run = subprocess.run([*DEMO, *wrong], capture_output=True, text=True, timeout=30, check=False)
    assert run.returncode == os.EX_USAGE
    for name in ("--megabytes 0", "--rate fast", "--envoy latest", "--json /nowhere/x", "--colour"):
        assert name in run.stderr
    assert len(run.stderr.splitlines()) == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_nothing_behind(folder: Path, number: signal.Signals) -> None:
    output = folder / "output"
    with output.open("wb") as out, subprocess.Popen(DEMO, stdout=out, stderr=subprocess.STDOUT, process_group=0) as demo:
        until("the tasks upload", lambda: messages.DEMO_UPLOADS in output.read_text(), within=60)
        children = _descendants(demo.pid)
        demo.send_signal(number)
        assert demo.wait(30) == 130
    assert len(children) > 9
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_a_missing_file_is_named_in_one_line() -> None:
    environment = os.environ | {"EXEUNT_WASM": "/nowhere/exeunt.wasm"}
    run = subprocess.run(DEMO, capture_output=True, text=True, timeout=30, check=False, env=environment)
    assert run.returncode == os.EX_UNAVAILABLE
    assert run.stdout == ""
    assert len(run.stderr.splitlines()) == 1
    assert "./build.sh wasm" in run.stderr


def _descendants(root: int) -> set[int]:
    parent_of = parents()
    found = {root}
    while more := {pid for pid, parent in parent_of.items() if parent in found} - found:
        found |= more
    return found - {root}
