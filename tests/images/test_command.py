"""The image of the command. The agent's binary stands in for it here: the command itself takes minutes to build."""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from harness.images import Made, Tool, agent_files, members
from harness.paths import ROOT, agent, wasm

_OWN = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[os.uname().machine]


@pytest.fixture(scope="module")
def with_command(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The images with that of the command, for each platform whose agent is built."""
    folder = tmp_path_factory.mktemp("with-command")
    words = [word for name, path in agent_files().items() for word in ("--cli", f"{name}={path}")]
    Tool(folder).make(folder / "images", *words)
    return Made(folder / "images")


def test_without_a_built_command_there_is_no_such_image(made: Made) -> None:
    assert sorted(made.record["images"]) == ["exeunt", "exeunt-agent"]


def test_its_image_has_the_binary_alone_and_runs_it_as_no_user_of_a_task(with_command: Made) -> None:
    platforms = with_command.record["images"]["kubectl-exeunt"]["platforms"]
    assert set(platforms) == set(agent_files())
    manifest = with_command.document("kubectl-exeunt", platforms[_OWN])
    config = with_command.document("kubectl-exeunt", manifest["config"]["digest"])["config"]
    assert (config["Entrypoint"], config["User"]) == (["/kubectl-exeunt"], "15190:15190")
    assert "Cmd" not in config
    (layer,) = manifest["layers"]
    ((name, (member, data)),) = members(with_command.blob("kubectl-exeunt", layer["digest"])).items()
    assert (name, member.mode, member.uid) == ("kubectl-exeunt", 0o755, 0)
    assert data == agent().read_bytes()
    labels = config["Labels"]
    assert labels["org.opencontainers.image.title"] == "kubectl-exeunt"
    assert labels["org.opencontainers.image.version"] == with_command.record["version"]


def test_the_other_images_are_the_same_with_it(made: Made, with_command: Made) -> None:
    for name, image in made.record["images"].items():
        assert with_command.record["images"][name] == image


def test_its_files_lie_beside_the_others(with_command: Made) -> None:
    stem = f"kubectl-exeunt-{with_command.record['version']}-{_OWN.replace('/', '-')}"
    assert {path.name for path in with_command.folder.glob(f"{stem}*")} == {stem, f"{stem}.tar", f"{stem}.cdx.json"}
    assert stem in (with_command.folder / "SHA256SUMS").read_text()


def _bill(with_command: Made) -> tuple[str, dict[str, Any]]:
    (path,) = with_command.folder.glob(f"kubectl-exeunt-*-{_OWN.replace('/', '-')}.cdx.json")
    return path.read_text(), json.loads(path.read_text())


def test_its_bill_names_the_crates_of_its_own_workspace(with_command: Made) -> None:
    text, bill = _bill(with_command)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert bill["metadata"]["component"]["name"] == "exeunt-cli"
    locked = {
        (crate["name"], crate["version"]): crate.get("checksum")
        for crate in tomllib.loads((ROOT / "cli" / "Cargo.lock").read_text())["package"]
    }
    crates = [part for part in bill["components"] if part["purl"].startswith("pkg:cargo/")]
    names = {part["name"] for part in crates}
    assert {"kube-client", "rustls", "ring", "clap"} <= names
    # What only its tests use is not in it.
    assert not {"insta", "proptest"} & names
    for crate in crates:
        checksum = locked[crate["name"], crate["version"]]
        assert [entry["content"] for entry in crate.get("hashes", [])] == ([checksum] if checksum else [])


def test_a_file_that_is_no_command_is_named(tool: Tool, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("#!/bin/sh\n")
    said = tool("--plugin", wasm(), "--agent", f"{_OWN}={agent()}", "--cli", f"{_OWN}={wrong}")
    assert said.code == 64
    assert said.lines == [
        f"image: --cli {_OWN}={wrong} is not allowed: it is no ELF executable: must be the file that ./build.sh cli makes"
    ]
    assert "--cli amd64=x is not allowed" in tool("--cli", "amd64=x").err
