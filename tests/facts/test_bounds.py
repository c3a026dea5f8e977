"""What others write is read with a bound: the table, the lint that forbids other ways, and the places that are exempt from it."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "crates/pod/src/bounds.rs"
DESIGN = ROOT / "docs/design.md"
FUZZ = ROOT / "fuzz"

# The places in shipped code that call what clippy.toml forbids, with their reasons. Those that read have a buffer of a fixed size
# and keep what a bound allows.
EXCEPTIONS = {
    "agent/src/exec/terminal.rs": ["nothing is printed"],
    "agent/src/os/http.rs": ["the reader bounds what it keeps of a piece"],
    "agent/src/os/log.rs": ["this is the place where the agent prints"] * 2,
    "agent/src/os/termination.rs": ["it has one size"],
    "crates/pod/src/bounded.rs": ["this is where files, folders and variables are read, with a bound"],
    "crates/pod/src/diag.rs": ["each datagram is read into a buffer of one size, and none is kept"],
}

# A use of each function of the standard library that clippy.toml forbids.
USES = {
    "std::io::stderr": "std::io::stderr()",
    "std::io::stdout": "std::io::stdout()",
    "std::fs::read": 'std::fs::read("x")',
    "std::fs::read_to_string": 'std::fs::read_to_string("x")',
    "std::fs::read_dir": 'std::fs::read_dir("x")',
    "std::fs::File::open": 'std::fs::File::open("x")',
    "std::path::Path::read_dir": 'std::path::Path::new("x").read_dir()',
    "std::io::Read::read": "file.read(&mut [0])",
    "std::io::Read::read_to_end": "file.read_to_end(&mut Vec::new())",
    "std::io::Read::read_to_string": "file.read_to_string(&mut String::new())",
    "std::io::Read::read_vectored": "file.read_vectored(&mut [])",
    "std::io::Read::bytes": "file.bytes()",
    "std::io::read_to_string": "std::io::read_to_string(file)",
    "std::io::copy": "std::io::copy(&mut file, &mut std::io::sink())",
    "std::io::BufRead::lines": "std::io::BufReader::new(file).lines()",
    "std::io::BufRead::split": "std::io::BufReader::new(file).split(0)",
    "std::io::BufRead::read_line": "std::io::BufReader::new(file).read_line(&mut String::new())",
    "std::io::BufRead::read_until": "std::io::BufReader::new(file).read_until(0, &mut Vec::new())",
    "std::io::BufRead::fill_buf": "std::io::BufReader::new(file).fill_buf().map(<[u8]>::len)",
    "std::os::unix::fs::FileExt::read_at": "file.read_at(&mut [0], 0)",
    "std::process::Command::output": 'std::process::Command::new("x").output()',
    "std::process::Child::wait_with_output": "child.wait_with_output()",
    "std::env::var": 'std::env::var("x")',
    "std::env::var_os": 'std::env::var_os("x")',
    "std::env::vars": "std::env::vars()",
    "std::env::vars_os": "std::env::vars_os()",
}

# What makes two rows of Rust one sentence for readers.
_ROW = re.compile(r'Self::(\w+) => (bytes|entries)\("([^"]+)", ([^,]+), "([^"]+)"\)')


def test_the_table_of_the_documents_is_the_table_of_the_code() -> None:
    rows = _ROW.findall(TABLE.read_text())
    assert [name for name, *_ in rows] == re.findall(r"Self::(\w+) =>", TABLE.read_text()), "a row of another form"
    code = {name: (_size(most, unit), beyond) for _, unit, name, most, beyond in rows}
    assert {name: (most, beyond) for name, most, beyond, _ in _rows()} == code


def test_each_parser_of_the_table_is_fuzzed() -> None:
    targets = {target for *_, named in _rows() for target in re.findall(r"`(\w+)`", named)}
    assert targets
    assert targets <= {path.stem for path in (FUZZ / "targets").iterdir()}


def test_each_fuzz_target_is_built_and_has_seeds() -> None:
    """`./build.sh test fuzz` runs what has seeds, and cargo builds what fuzz/Cargo.toml names."""
    targets = sorted(path.stem for path in (FUZZ / "targets").iterdir())
    manifest = tomllib.loads((FUZZ / "Cargo.toml").read_text())
    assert sorted(program["name"] for program in manifest["bin"]) == targets
    assert sorted(path.name for path in (FUZZ / "seeds").iterdir() if any(path.iterdir())) == targets


def test_no_other_place_goes_round_the_lint() -> None:
    found: dict[str, list[str]] = {}
    for folder in ("agent/src", "crates/drain/src", "crates/pod/src", "src"):
        for file in sorted((ROOT / folder).rglob("*.rs")):
            text = re.sub(r"cfg_attr\(\s*test,.*?\)\s*\)\]", "", file.read_text(), flags=re.DOTALL)
            for attribute in re.findall(r"#!?\[[^\]]*disallowed_methods[^\]]*\]", text):
                reason = re.search(r'reason = "([^"]+)"', attribute)
                found.setdefault(str(file.relative_to(ROOT)), []).append(reason[1] if reason else attribute)
            assert text.count("disallowed_methods") == len(found.get(str(file.relative_to(ROOT)), [])), f"{file}: of another form"
    assert found == EXCEPTIONS


def test_each_way_without_a_bound_is_refused(tmp_path: Path) -> None:
    clippy = shutil.which("clippy-driver")
    # Where rustup has no clippy, its stand-in for the program is there all the same.
    if clippy is None or subprocess.run([clippy, "--version"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this Rust has no clippy")
    forbidden = [entry["path"] for entry in tomllib.loads((ROOT / "clippy.toml").read_text())["disallowed-methods"]]
    assert sorted(USES) == sorted(path for path in forbidden if path.startswith("std::"))
    functions = [
        f"pub fn use_{number}(mut file: std::fs::File, child: std::process::Child) {{ let _ = {use}; }}"
        for number, use in enumerate(USES.values())
    ]
    source = tmp_path / "uses.rs"
    source.write_text("\n".join(["#![allow(unused)]", "use std::io::*;", "use std::os::unix::fs::FileExt;", *functions]))
    run = subprocess.run(
        [
            clippy,
            "--edition=2024",
            "--crate-type=lib",
            "--emit=metadata",
            f"--out-dir={tmp_path}",
            "-Wclippy::disallowed_methods",
            source,
        ],
        env={"CLIPPY_CONF_DIR": str(ROOT), "PATH": os.environ["PATH"], **_rustup()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    refused = set(re.findall(r"use of a disallowed method `([^`]+)`", run.stderr))
    assert refused == set(USES), run.stderr


def _rows() -> list[tuple[str, str, str, str]]:
    """The rows of the table in the document: what is read, how much of it, what follows, and who fuzzes the parser."""
    section = DESIGN.read_text().partition("\n## What is read, and how much of it\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("| ")]
    return [(name, most, beyond, target) for name, most, beyond, target in rows if name != "what"]


def _size(most: str, unit: str) -> str:
    """A number of the code as the document writes it."""
    number = eval(most, {"__builtins__": {}}, {"KIB": 1 << 10, "MIB": 1 << 20})  # noqa: S307 - our own file
    if unit == "entries":
        return f"{number:,} entries"
    for power, name in ((20, "MiB"), (10, "KiB")):
        if number % (1 << power) == 0:
            return f"{number >> power} {name}"
    return f"{number} bytes"


def _rustup() -> dict[str, str]:
    """Where rustup has its toolchains."""
    return {name: os.environ[name] for name in ("HOME", "RUSTUP_HOME", "CARGO_HOME", "LD_LIBRARY_PATH") if name in os.environ}
