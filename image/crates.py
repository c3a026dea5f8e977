"""Which crates are linked into a binary, as cargo itself resolves them."""

import os
import subprocess
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from .fault import Fault
from .project import ROOT


@dataclass
class Crate:
    """A crate in one binary, and the crates that it uses."""

    name: str
    version: str
    license: str
    repository: str
    # Whether it is of our own workspace, not of crates.io.
    own: bool
    # The crate file's checksum in hexadecimal; our own crates have none.
    sha256: str = ""
    uses: set[str] = field(default_factory=set)

    @property
    def purl(self) -> str:
        """Its package URL, by which scanners for vulnerabilities look it up."""
        return f"pkg:cargo/{self.name}@{self.version}"


# The command is a workspace of its own.
_WORKSPACES = {"exeunt-cli": "cli"}


def linked_crates(package: str, target: str) -> dict[str, Crate]:
    """The crates by their package URLs, the package itself first.

    This calls `cargo tree`, because `cargo metadata` unites the features of the whole workspace, tests included, and so names
    crates that this binary does not have. Derive macros run in the compiler and are not linked.
    """
    words = ["tree", "--package", package, "--target", target, "--edges", "normal,no-proc-macro", "--locked"]
    workspace = ROOT / _WORKSPACES.get(package, "")
    words += ["--manifest-path", str(workspace / "Cargo.toml")]
    # The lines with their depths are the whole graph.
    words += ["--prefix", "depth", "--no-dedupe", "--format", "\t{p}\t{l}\t{r}"]
    crates: dict[str, Crate] = {}
    path: list[Crate] = []
    checksums = _checksums(workspace)
    for line in _cargo(words).splitlines():
        depth, named, terms, repository = line.split("\t")
        name, version, *place = named.split(" ", 2)
        crate = Crate(name, version.removeprefix("v"), terms, repository, own=any(part.startswith("(/") for part in place))
        crate.sha256 = checksums.get((crate.name, crate.version), "")
        crate = crates.setdefault(crate.purl, crate)
        path[int(depth) :] = [crate]
        if len(path) > 1:
            path[-2].uses.add(crate.purl)
    return crates


def _checksums(workspace: Path) -> dict[tuple[str, str], str]:
    packages = tomllib.loads((workspace / "Cargo.lock").read_text())["package"]
    return {(package["name"], package["version"]): package.get("checksum", "") for package in packages}


def _cargo(words: list[str]) -> str:
    # build.sh says which; cargo does, too, when it calls a program of its own.
    cargo = os.environ.get("CARGO", "cargo")
    try:
        run = subprocess.run([cargo, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Fault(
            f"{cargo} cannot be run ({error.strerror}), and the bills of materials need it: call ./build.sh image"
        ) from error
    if run.returncode != 0:
        reason = next((line for line in run.stderr.splitlines() if line.startswith("error")), run.stderr.strip())
        raise Fault(f"cargo {words[0]} failed: {reason}")
    return run.stdout
