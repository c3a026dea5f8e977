"""The crates that are published."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.paths import ROOT

_FOLDERS = {"exeunt-drain": "crates/drain", "exeunt-pod": "crates/pod", "exeunt-agent": "agent"}
_INCLUDED = re.compile(r'include_(?:str|bytes)!\("([^"]+)"\)')


def test_they_are_those_of_the_release() -> None:
    packaged = re.search(r"^CRATES=\((.*)\)$", (ROOT / "build" / "release.sh").read_text(), re.MULTILINE)
    assert packaged is not None
    assert packaged[1].split() == [*_FOLDERS]


@pytest.mark.parametrize("folder", _FOLDERS.values())
def test_a_crate_includes_no_file_from_outside_of_its_folder(folder: str) -> None:
    """Such a file is not in the package, which then does not compile. A link is: cargo packages what it leads to."""
    crate = ROOT / folder
    outside = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in crate.rglob("src/**/*.rs")
        for name in _INCLUDED.findall(file.read_text())
        if not Path(os.path.normpath(file.parent / name)).is_relative_to(crate)
    ]
    assert outside == []


def test_the_list_of_helpers_is_the_same_file_for_the_agent_and_for_airflow() -> None:
    one = ROOT / "agent" / "src" / "options" / "endless_helpers.txt"
    other = ROOT / "airflow" / "src" / "exeunt_airflow" / "endless_helpers.txt"
    assert one.resolve() == other
    listed = subprocess.run(
        ["git", "ls-files", "--stage", str(one)], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.split()
    # Without git, as in an archive of the sources, there is nothing to ask. 120000 is a link.
    assert not listed or listed[0] == "120000"
