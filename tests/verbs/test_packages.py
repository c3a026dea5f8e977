"""Debian packages are announced by name, and installed only where that is allowed."""

import os

import pytest

from verbs.conftest import Machine

_ROOT = os.geteuid() == 0
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


@pytest.mark.skipif(not _ROOT, reason="only root may install packages")
def test_root_is_told_before_a_package_is_installed(machine: Machine) -> None:
    machine.must_not_call("apt-get")
    run = machine.run("wasm")
    assert run.stderr.splitlines()[0] == f"installing the Debian packages {_C_COMPILER} …"
    assert f"apt-get install --yes --no-install-recommends {_C_COMPILER}\n" in machine.called
    # This apt-get fails, so there is no compiler.
    assert run.returncode == 69


@pytest.mark.skipif(_ROOT, reason="root may install packages")
def test_another_user_is_told_and_nothing_is_installed(machine: Machine) -> None:
    machine.must_not_call("apt-get")
    run = machine.run("wasm")
    assert (run.returncode, machine.called) == (69, "")
    assert f"as root, apt-get install {_C_COMPILER} (this user is not root)" in run.stderr
