"""Every verb says what it takes, at once: nothing is built or installed for it."""

import re

import pytest

from harness.paths import ROOT
from verbs.conftest import Machine

_VERBS = re.findall(r'^    "([a-z0-9]+) ', (ROOT / "build" / "help.sh").read_text(), re.MULTILINE)
# A program of each kind that a help must not need.
_NOT_NEEDED = ("apt-get", "cargo", "rustc", "rustup", "cc", "go", "node", "npm", "pip")


def test_there_are_verbs() -> None:
    assert {"demo", "test", "image", "e2e", "bench", "release"} <= set(_VERBS)


@pytest.mark.parametrize("flag", ["--help", "-h"])
@pytest.mark.parametrize("verb", _VERBS)
def test_the_help_of_a_verb_builds_and_installs_nothing(machine: Machine, verb: str, flag: str) -> None:
    machine.must_not_call(*_NOT_NEEDED)
    run = machine.run(verb, flag)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.strip()
    assert machine.called == ""
    assert not (machine.folder / ".cache").exists()
    assert not (machine.folder / "target").exists()


@pytest.mark.parametrize("subject", ["jobs", "istiod"])
def test_the_help_of_a_bench_on_a_cluster_builds_and_installs_nothing(machine: Machine, subject: str) -> None:
    machine.must_not_call(*_NOT_NEEDED)
    assert f"./build.sh bench {subject} --help" in machine.run("bench", "--help").stdout
    run = machine.run("bench", subject, "--help")
    assert (run.returncode, run.stderr, machine.called) == (0, "", "")
    assert f"usage: ./build.sh bench {subject} " in run.stdout


@pytest.mark.parametrize("words", [(), ("help",), ("--help",), ("--no-install",)])
def test_without_a_verb_the_verbs_are_listed(machine: Machine, words: tuple[str, ...]) -> None:
    run = machine.run(*words)
    assert run.returncode == 0
    assert [verb for verb in _VERBS if f"\n  {verb} " not in run.stdout] == []


def test_the_help_of_test_names_every_tier(machine: Machine) -> None:
    shown = machine.run("test", "--help").stdout
    tiers = [path.stem for path in (ROOT / "build" / "tiers").glob("*.sh")]
    assert tiers
    assert [name for name in tiers if not re.search(rf"^  {name} +\S", shown, re.MULTILINE)] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("wash",), "there is no verb wash: ./build.sh lists the verbs"),
        (("test", "unti"), "there is no tier unti: ./build.sh test --help lists the tiers"),
        (("test", "--all", "unit"), "--all takes nothing after it, and there is unit"),
        (("agent", "riscv64"), "agent riscv64 is not allowed: must be amd64 or arm64"),
        (("bench", "job"), "there is no bench job: must be jobs or istiod, or nothing"),
        (("wasm", "fast"), "wasm takes no argument, and fast is one"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_command_line_is_refused_in_one_line(machine: Machine, words: tuple[str, ...], said: str) -> None:
    run = machine.run(*words)
    assert run.returncode == 64
    assert run.stderr.startswith(f"build.sh: {said}")
    assert run.stderr.count("\n") == 1
