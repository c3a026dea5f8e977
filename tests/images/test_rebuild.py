"""A second build of the shipped files, in another folder, gives the same bytes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.paths import ROOT, agent, wasm


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same sources in another folder, whose name is longer."""
    folder = tmp_path_factory.mktemp("elsewhere") / "a longer name" / "exeunt"
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("verb", ["wasm", "agent"])
def test_a_second_build_in_another_folder_makes_the_same_file(elsewhere: Path, verb: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
    built = subprocess.run(["./build.sh", verb], cwd=elsewhere, capture_output=True, text=True, check=False, env=environment)
    assert built.returncode == 0, built.stderr
    first = wasm() if verb == "wasm" else agent()
    assert (elsewhere / "target" / first.name).read_bytes() == first.read_bytes()
