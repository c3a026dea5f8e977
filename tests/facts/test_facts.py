"""Every place says what facts.yaml says, and a place that does not is found."""

import shutil
from pathlib import Path

import pytest

from facts.places import FACTS, Found, mistakes, places

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the project that are looked at."""
    root = tmp_path_factory.mktemp("facts") / "project"
    for folder in (
        "deploy",
        "docs",
        "agent/src",
        "cli/src",
        "crates",
        "airflow",
        "image",
        "build",
        "bench",
        "tests/cluster",
        "tests/harness",
    ):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in (FACTS, "wasmplugin.yaml", "README.md"):
        shutil.copy(ROOT / name, root / name)
    return root


def test_every_place_is_as_the_facts_say() -> None:
    assert mistakes(ROOT) == []


def test_the_copy_is_as_good_as_the_project(copy: Path) -> None:
    assert mistakes(copy) == []


def test_every_place_that_is_changed_is_named_with_its_fact(copy: Path) -> None:
    """Changes one place of each file at a time, until each place was changed once."""
    by_file: dict[Path, list[Found]] = {}
    for found in places(copy):
        by_file.setdefault(found.file, []).append(found)
    texts = {file: file.read_text() for file in by_file}
    unnoticed = []
    for turn in range(max(len(in_file) for in_file in by_file.values())):
        changed = [in_file[turn] for in_file in by_file.values() if turn < len(in_file)]
        for found in changed:
            start, end = found.span
            found.file.write_text(texts[found.file][:start] + _other(found.value) + texts[found.file][end:])
        said = mistakes(copy)
        for found in changed:
            found.file.write_text(texts[found.file])
            name, fact = str(found.file.relative_to(copy)), f"{FACTS}:{found.fact}"
            # A value that no longer looks like one is a place that says nothing: then without the line.
            if not any(
                fact in line and (f"{name}:{found.line} has " in line or name in line.partition(": nothing there")[0])
                for line in said
            ):
                unnoticed.append(f"{name}:{found.line}: {found.what}")
    assert unnoticed == []


def test_a_name_that_is_not_listed_is_found(copy: Path) -> None:
    file = copy / "deploy" / "samples" / "job.yaml"
    text = file.read_text()
    file.write_text(text.replace("exeunt.dev/drain", "exeunt.dev/drian", 1))
    try:
        said = mistakes(copy)
    finally:
        file.write_text(text)
    assert len(said) == 1
    assert "deploy/samples/job.yaml:" in said[0]
    assert "exeunt.dev/drian, which is none of facts.yaml:" in said[0]


def test_a_fact_that_is_changed_names_all_of_its_places(copy: Path) -> None:
    """So that a change begins in facts.yaml, and the test leads through the places."""
    uid = [found for found in places(copy) if found.what == "the agent's user id"]
    file = copy / FACTS
    text = file.read_text()
    # The port of the signal listener is the same number.
    name = "  - name: the agent's user id\n    value: "
    file.write_text(text.replace(f'{name}"15190"', f'{name}"15191"'))
    try:
        said = mistakes(copy)
    finally:
        file.write_text(text)
    assert len(uid) >= 6
    assert len(said) == len(uid)


def _other(value: str) -> str:
    """Another value of the same form: its last letter or digit is another one."""
    at = max(number for number, letter in enumerate(value) if letter.isalnum())
    return (
        value[:at]
        + ("8" if value[at] == "9" else "9" if value[at].isdigit() else "q" if value[at] == "x" else "x")
        + value[at + 1 :]
    )
