"""Debian packages are announced by name, and installed only where that is allowed."""

import os

import pytest

from verbs.conftest import Machine

_C_COMPILER = "gcc libc6-dev ca-certificates"


@pytest.mark.parametrize("words", [("--no-install", "wasm"), ("wasm", "--no-install")], ids=" ".join)
def test_with_no_install_one_line_names_the_packages_and_the_command(machine: Machine, words: tuple[str, ...]) -> None:
    machine.must_not_call("apt-get")
    run = machine.run(*words)
    assert run.returncode == 69
    assert machine.called == ""
    lines = [line for line in run.stderr.splitlines() if "apt-get" in line]
    assert lines == [f"build.sh: a C compiler is missing: as root, apt-get install {_C_COMPILER} (--no-install forbids it)"]


def test_the_variable_forbids_it_too(machine: Machine) -> None:
    machine.must_not_call("apt-get")
    run = machine.run("wasm", EXEUNT_NO_INSTALL="1")
    assert (run.returncode, machine.called) == (69, "")
    assert f"apt-get install {_C_COMPILER}" in run.stderr


def test_packages_are_announced_to_root_and_refused_to_other_users(machine: Machine) -> None:
    machine.must_not_call("apt-get")
    run = machine.run("wasm")
    # The apt-get of this machine fails, so there is no compiler for root either.
    assert run.returncode == 69
    if os.geteuid() == 0:
        assert run.stderr.splitlines()[0] == f"installing the Debian packages {_C_COMPILER} …"
        assert f"apt-get install --yes --no-install-recommends {_C_COMPILER}\n" in machine.called
    else:
        assert machine.called == ""
        assert f"as root, apt-get install {_C_COMPILER} (this user is not root)" in run.stderr
