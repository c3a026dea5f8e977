"""The demo, the first command of the README."""

import json
import os
import re
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from harness import messages
from harness.paths import ROOT
from harness.process import parents
from harness.release import NEWEST
from harness.wait import until

# Without site-packages (-S): a new checkout has none of the packages of the tests.
DEMO = [sys.executable, "-S", str(ROOT / "demo" / "demo.py")]
DOCS = ROOT / "docs"
SVG = "{http://www.w3.org/2000/svg}"
# The keys that existed before the picture: scripts may depend on them and on their order.
FIRST_KEYS = ["name", "ended", "exitToGoneMs", "bytesWritten", "bytesDelivered", "route"]
CASES = ["nothing", "sigkill", "admin", "sigterm", "native", "exeunt", "native-exeunt"]
MB12 = 12_000_000


def test_every_case_ends_as_the_readme_says(folder: Path) -> None:
    result, picture = folder / "demo.json", folder / "demo.svg"
    run = _demo("--json", str(result), "--svg", str(picture), timeout=180)
    assert run.returncode == 0, run.stderr
    document = json.loads(result.read_text())
    assert list(document) == ["envoy", "wasmBytes", "agentBytes", "megabytes", "rate", "acts"]
    assert (document["envoy"], document["megabytes"], document["rate"]) == (NEWEST, 12, 4_000_000)
    acts = {act["name"]: act for act in document["acts"]}
    assert list(acts) == CASES
    for act in document["acts"]:
        assert list(act) == [*FIRST_KEYS, "taskExitMs", "seenUntilMs", "arrivals"]
        assert act["bytesWritten"] == MB12
        assert act["ended"] == (act["exitToGoneMs"] is not None)
        assert act["arrivals"][-1][1] == act["bytesDelivered"]
        assert act["arrivals"] == sorted(act["arrivals"])
    assert (acts["nothing"]["ended"], acts["nothing"]["exitToGoneMs"]) == (False, None)
    for name in ("sigkill", "admin", "native"):
        assert acts[name]["ended"]
        assert acts[name]["bytesDelivered"] < MB12, name
    # Kubelet needs a second, and does not wait for what is in flight.
    assert 1_000 <= acts["native"]["exitToGoneMs"] < acts["native-exeunt"]["exitToGoneMs"]
    assert acts["sigterm"]["exitToGoneMs"] >= 5_000
    for name in ("exeunt", "native-exeunt"):
        assert acts[name]["ended"]
        assert acts[name]["bytesDelivered"] == MB12, name
        assert messages.is_by_filter(acts[name]["route"])
    # stdout is not a terminal: no colours.
    assert "\033" not in run.stdout
    _check_picture(picture.read_text(), document)


def _check_picture(text: str, document: Any) -> None:
    root = ElementTree.fromstring(text)  # noqa: S314 (our own)
    style = root.findtext(f"{SVG}style") or ""
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    # Every class that sets a colour for the light background sets one for the dark background too.
    coloured = re.compile(r"^(\.[\w.]+)(?= \{[^}]*#[0-9a-f]{6})", re.MULTILINE)
    assert len(coloured.findall(light)) > 12
    assert sorted(coloured.findall(light)) == sorted(coloured.findall(dark))
    lanes = [group for group in root.iter(f"{SVG}g") if group.get("data-case")]
    shown = [
        (
            lane.get("data-case"),
            int(lane.get("data-written", "")),
            int(lane.get("data-delivered", "")),
            float(lane.get("data-task-exit-ms", "")),
            float(lane.get("data-exit-to-gone-ms") or "nan"),
        )
        for lane in lanes
    ]
    expected = [
        (act["name"], act["bytesWritten"], act["bytesDelivered"], act["taskExitMs"], act["exitToGoneMs"] or float("nan"))
        for act in document["acts"]
    ]
    assert repr(shown) == repr(expected)
    for lane, act in zip(lanes, document["acts"], strict=True):
        words = " ".join("".join(text.itertext()) for text in lane.iter(f"{SVG}text"))
        lost = act["bytesWritten"] - act["bytesDelivered"]
        assert ("never ends" in words) == (not act["ended"])
        assert ("Nothing lost" in words) == (act["ended"] and lost == 0)
        assert (f"{lost / 1e6:.1f} MB lost" in words) == (lost > 0)
    # The description is for readers who cannot see the picture.
    assert len((root.findtext(f"{SVG}desc") or "").split(". ")) >= len(lanes)


def test_the_picture_of_the_readme_is_drawn_from_the_run_that_is_kept(folder: Path) -> None:
    """If this fails, run ./build.sh demo --from docs/demo.json --svg docs/demo.svg."""
    picture = folder / "demo.svg"
    run = _demo("--from", str(DOCS / "demo.json"), "--svg", str(picture))
    assert run.returncode == 0, run.stderr
    assert picture.read_text() == (DOCS / "demo.svg").read_text()
    _check_picture(picture.read_text(), json.loads((DOCS / "demo.json").read_text()))
    # The table of the same run is what the README shows.
    assert run.stdout.strip() in (ROOT / "README.md").read_text()


def test_a_file_that_is_no_run_is_refused(folder: Path) -> None:
    other = folder / "other.json"
    for text in ("{}", "[]", "no JSON", '{"acts": []}'):
        other.write_text(text)
        run = _demo("--from", str(other))
        assert (run.returncode, run.stdout) == (os.EX_USAGE, "")
        assert "is not a file that --json wrote" in run.stderr


def test_the_help_names_every_case_and_needs_nothing() -> None:
    environment = os.environ | {"EXEUNT_WASM": "/nowhere/exeunt.wasm"}
    run = subprocess.run([*DEMO, "--help"], capture_output=True, text=True, timeout=30, check=False, env=environment)
    assert run.returncode == 0
    for name in CASES:
        assert re.search(rf"^  {name} +\w", run.stdout, re.MULTILINE), name


def test_every_mistake_in_the_command_line_is_named_at_once() -> None:
    wrong = ["--megabytes", "0", "--rate", "fast", "--envoy", "latest", "--json", "/nowhere/x", "--colour"]
    wrong += ["--svg", "/nowhere/y", "--from", "/nowhere/z", "--only", "exeunt,everything"]
    run = _demo(*wrong)
    assert run.returncode == os.EX_USAGE
    names = ("--megabytes 0", "--rate fast", "--envoy latest", "--json /nowhere/x", "--colour", "--svg /nowhere/y")
    for name in (*names, "--from /nowhere/z", "--only exeunt,everything"):
        assert name in run.stderr
    assert len(run.stderr.splitlines()) == 8


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


def _demo(*words: str, timeout: float = 30) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*DEMO, *words], capture_output=True, text=True, timeout=timeout, check=False)


def _descendants(root: int) -> set[int]:
    parent_of = parents()
    found = {root}
    while more := {pid for pid, parent in parent_of.items() if parent in found} - found:
        found |= more
    return found - {root}
