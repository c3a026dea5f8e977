"""What a release offers of `kubectl exeunt`: the archives, and krew's manifest, which krew itself reads and installs from."""

import hashlib
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart.programs import ROOT

KREW = ROOT / ".cache" / "tools" / "bin" / "krew"
VALIDATOR = KREW.with_name("validate-krew-manifest")
# Not the command itself, which takes minutes to build: what it is asked for here, and nothing else.
STAND_IN = """#!/bin/sh
case $1 in
man) mkdir -p "$2" && echo page >"$2/kubectl-exeunt.1" ;;
*) echo "exeunt $*" ;;
esac
"""
PLATFORMS = {"x86_64": "amd64", "aarch64": "arm64"}
OWN = f"linux/{PLATFORMS[os.uname().machine]}"


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """A stand-in for the command, without the mode that an upload takes away."""
    path = tmp_path / "command"
    path.write_text(STAND_IN)
    path.chmod(0o644)
    return path


def release(folder: Path, *platforms: str) -> subprocess.CompletedProcess[str]:
    """What ./build.sh release does with the command, by the functions of build/."""
    folder.mkdir()
    script = """
        ROOT=$PWD CALLER=$PWD
        for part in steps artefacts release command; do . "build/$part.sh"; done
        release_command "$@"
    """
    words = ["bash", "-euc", script, "bash", folder, *platforms]
    own = os.environ | {"SOURCE_DATE_EPOCH": "1700000000"}
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, env=own)


@pytest.fixture
def made(tmp_path: Path, command: Path) -> Path:
    """The archives of four platforms, and the manifest."""
    folder = tmp_path / "files"
    platforms = ("linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64")
    done = release(folder, *(f"{platform}={command}" for platform in platforms))
    assert done.returncode == 0, done.stderr
    return folder


def manifest(folder: Path) -> dict[str, Any]:
    """The manifest for krew."""
    read: dict[str, Any] = yaml.safe_load((folder / "exeunt.yaml").read_text())
    return read


def archive(folder: Path, platform: str = OWN) -> Path:
    """The archive of a platform."""
    (found,) = folder.glob(f"kubectl-exeunt-*-{platform.replace('/', '-')}.tar.gz")
    return found


def test_an_archive_has_the_command_its_pages_its_completions_and_the_licence(made: Path) -> None:
    with tarfile.open(archive(made)) as tar:
        members = {member.name: member for member in tar if member.isfile()}
        assert {name: (member.mode, member.uid, member.mtime) for name, member in members.items()} == {
            "completion/_kubectl-exeunt": (0o644, 0, 1_700_000_000),
            "completion/kubectl-exeunt.bash": (0o644, 0, 1_700_000_000),
            "completion/kubectl-exeunt.fish": (0o644, 0, 1_700_000_000),
            "completion/kubectl_complete-exeunt": (0o755, 0, 1_700_000_000),
            "kubectl-exeunt": (0o755, 0, 1_700_000_000),
            "LICENSE": (0o644, 0, 1_700_000_000),
            "man/kubectl-exeunt.1": (0o644, 0, 1_700_000_000),
        }


def test_an_archive_is_the_same_byte_for_byte(made: Path, tmp_path: Path, command: Path) -> None:
    done = release(tmp_path / "again", f"{OWN}={command}")
    assert done.returncode == 0, done.stderr
    assert archive(tmp_path / "again").read_bytes() == archive(made).read_bytes()


def test_the_manifest_names_each_archive_with_its_checksum(made: Path) -> None:
    spec = manifest(made)["spec"]
    names = [Path(platform["uri"]).name for platform in spec["platforms"]]
    assert sorted(names) == sorted(path.name for path in made.glob("*.tar.gz"))
    for platform in spec["platforms"]:
        path = made / Path(platform["uri"]).name
        assert platform["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        labels = platform["selector"]["matchLabels"]
        assert f"-{labels['os']}-{labels['arch']}.tar.gz" in path.name
        assert f"/download/{spec['version']}/" in platform["uri"]
    # krew's own rule for the column of `kubectl krew search`.
    assert len(spec["shortDescription"]) <= 50


def test_a_platform_without_an_archive_is_left_out(tmp_path: Path, command: Path) -> None:
    done = release(tmp_path / "files", f"{OWN}={command}")
    assert [Path(one["uri"]).name for one in manifest(tmp_path / "files")["spec"]["platforms"]] == [
        archive(tmp_path / "files").name
    ]
    assert done.stderr.count("which was not built") == 3


def test_a_release_without_this_machine_s_command_says_so(tmp_path: Path, command: Path) -> None:
    done = release(tmp_path / "files", f"darwin/arm64={command}")
    assert done.returncode == 1
    assert f"kubectl exeunt for {OWN} is missing" in done.stderr


def test_krew_takes_the_manifest(made: Path, tmp_path: Path) -> None:
    if not VALIDATOR.exists():
        pytest.skip("krew's validation: validate-krew-manifest could not be built")
    words = [VALIDATOR, "-skip-install", "-manifest"]
    said = subprocess.run([*words, made / "exeunt.yaml"], capture_output=True, text=True, check=False, timeout=60)
    assert said.returncode == 0, said.stderr
    wrong = tmp_path / "exeunt.yaml"
    wrong.write_text((made / "exeunt.yaml").read_text().replace("os: darwin", "os: linux"))
    assert subprocess.run([*words, wrong], capture_output=True, check=False, timeout=60).returncode != 0


def test_krew_installs_the_archive_and_kubectl_would_find_it(made: Path, tmp_path: Path) -> None:
    if not KREW.exists():
        pytest.skip("an installation by krew: krew could not be built")
    words = [KREW, "install", f"--manifest={made / 'exeunt.yaml'}", f"--archive={archive(made)}"]
    own = os.environ | {"KREW_ROOT": str(tmp_path / "krew")}
    installed = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=own, stdin=subprocess.DEVNULL)
    assert installed.returncode == 0, installed.stderr
    # kubectl finds a plugin by this name.
    found = subprocess.run([tmp_path / "krew" / "bin" / "kubectl-exeunt", "status"], capture_output=True, text=True, check=True)
    assert found.stdout == "exeunt status\n"
    # An archive with another checksum is refused.
    archive(made).write_bytes(archive(made, "darwin/arm64").read_bytes() + b"\0")
    again = subprocess.run(
        words, capture_output=True, text=True, check=False, timeout=60, env=own | {"KREW_ROOT": str(tmp_path / "other")}
    )
    assert again.returncode != 0
