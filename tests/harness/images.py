"""Calls the program behind ./build.sh image as a user does, and reads the images that it builds."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .paths import ROOT, agent, wasm

# A fixed date, because images of the same files must not depend on the time of the test.
DATE = 1_700_000_000


@dataclass(frozen=True)
class Result:
    """The result of one call of the program."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of stderr: one for each mistake."""
        return self.err.splitlines()


class Tool:
    """Calls the program in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str | Path, **environment: str) -> Result:
        """Runs the program."""
        settings = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "SOURCE_DATE_EPOCH": str(DATE)}
        argv = [sys.executable, "-P", "-m", "image", *map(str, words)]
        run = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=os.environ | settings | environment,
            timeout=120,
        )
        return Result(run.returncode, run.stdout, run.stderr)

    def make(self, output: Path, *words: str | Path, **environment: str) -> Result:
        """Builds the images of the built filter and agents; the call must succeed."""
        result = self("--output", output, "--plugin", wasm(), *agents(), *words, **environment)
        assert result.code == 0, result.err
        return result


class Made:
    """The images that the program has written to a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.record: dict[str, Any] = json.loads((folder / "images.json").read_text())

    def digest(self, name: str) -> str:
        """The digest of the image's manifest or index."""
        return str(self.record["images"][name]["digest"])

    def blob(self, name: str, digest: str) -> bytes:
        """A blob from the OCI layout of an image."""
        return (self.folder / name / "blobs" / digest.replace(":", "/")).read_bytes()

    def document(self, name: str, digest: str) -> dict[str, Any]:
        """A manifest, an index or a config from the OCI layout of an image."""
        document: dict[str, Any] = json.loads(self.blob(name, digest))
        return document


def agent_files() -> dict[str, Path]:
    """The built agents by platform: always this machine's, and the other architecture's if it was built."""
    own = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[os.uname().machine]
    files = {name: ROOT / "target" / name.replace("linux/", "exeunt-agent-") for name in ("linux/amd64", "linux/arm64")}
    return {name: path for name, path in (files | {own: agent()}).items() if path.is_file()}


def agents() -> list[str]:
    """The options that name the built agents."""
    return [word for name, path in agent_files().items() for word in ("--agent", f"{name}={path}")]


def digest_of(data: bytes) -> str:
    """The digest as a registry computes it; the program under test is not used."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def skopeo(*words: str) -> bytes:
    """Calls skopeo, an independent client, and returns its stdout."""
    return subprocess.run(["skopeo", "--insecure-policy", *words], check=True, capture_output=True, timeout=60).stdout


def members(layer: bytes) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
    """The files in a compressed layer."""
    with tarfile.open(fileobj=io.BytesIO(layer), mode="r:gz") as tar:
        files = {member.name: (member, tar.extractfile(member)) for member in tar}
        return {name: (member, file.read()) for name, (member, file) in files.items() if file is not None}


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below the folder by its path, with mode and contents."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes()) for path in files}
