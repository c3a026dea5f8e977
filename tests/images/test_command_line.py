"""Mistakes on the command line, and folders that cannot be written: each is one line, and no folder is incomplete."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.images import Made, Tool, agents, snapshot
from harness.paths import ROOT, agent, wasm
from harness.registry import Registry

_USAGE = 64
# The platform of an agent that is built here.
_OWN = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[os.uname().machine]


@pytest.fixture
def project_copy(tmp_path: Path) -> Path:
    """The project in a folder of its own, because the default output is below the project."""
    copy = tmp_path / "project"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", ".cache", "target", "__pycache__"))
    (copy / "target").mkdir()
    shutil.copyfile(wasm(), copy / "target" / "exeunt.wasm")
    shutil.copyfile(agent(), copy / "target" / "exeunt-agent")
    return copy


def test_all_mistakes_are_named_at_once(tool: Tool) -> None:
    said = tool(
        "--bogus", "--tag=-x", "--agent", "arm64=x", "--push", "Foo/Bar", "--timeout", "soon", "--tries", "0", "stray", "--ca"
    )
    assert said.code == _USAGE
    assert [line.split(" is not ")[0] for line in said.lines] == [
        "image: --bogus",
        "image: stray",
        "image: --ca needs a value",
        "image: --agent arm64=x",
        "image: --push Foo/Bar",
        "image: --tag -x",
        "image: --timeout soon",
        "image: --tries 0",
    ]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--tag", "a b"], "--tag a b is not allowed: must be 1 to 128 letters, digits, dots, underscores and hyphens"),
        (["--tag", "a" * 129], "must be 1 to 128 letters"),
        (["--push", "exeunt-dev"], "must begin with a registry's name, as in ghcr.io/exeunt-dev or 127.0.0.1:5000"),
        (["--push", "ghcr.io/Exeunt"], "must have a path of lower-case letters"),
        (["--push", "oci://ghcr.io/x"], "must begin with a registry's name"),
        (["--push", ""], "must begin with a registry's name"),
        (["--push"], "--push needs a value"),
        (["--verify", "file:///plugin.wasm"], "must be an image, as in oci://"),
        (["--verify", "oci://ghcr.io/x@sha256:12"], "must have 64 lower-case hexadecimal digits after @sha256:"),
        (["--verify", "oci://ghcr.io/x", "--push", "ghcr.io/x"], "--verify and --push cannot go together"),
        (["--insecure"], "--insecure has no meaning without --push or --verify"),
        (["--auth-file", "nowhere"], "--auth-file nowhere is not allowed: must be an existing file"),
        (["--agent", "linux/amd64=nowhere"], "--agent linux/amd64 nowhere is not allowed: must be an existing file"),
        (["--platform", "arm64"], "--platform arm64 is not allowed: must be linux/amd64 or linux/arm64"),
        (["--platform"], "--platform needs a value"),
        (["--platform", "linux/arm64", "--agent", "linux/amd64=x"], "--agent and --platform cannot go together"),
        (["--timeout", "1.5"], "--timeout 1.5 is not allowed: must be a whole number from 1 to 3600"),
    ],
)
def test_a_mistake_names_option_value_and_what_is_allowed(tool: Tool, words: list[str], complaint: str) -> None:
    said = tool(*words)
    assert said.code == _USAGE
    assert any(complaint in line for line in said.lines), said.err
    assert "Traceback" not in said.err


def test_a_date_that_is_none_is_named(tool: Tool) -> None:
    said = tool("--output", "out", SOURCE_DATE_EPOCH="yesterday")
    assert (said.code, said.lines) == (
        1,
        ["image: SOURCE_DATE_EPOCH=yesterday is not allowed: must be a number of seconds since 1970"],
    )


def test_a_file_that_is_no_filter_and_one_that_is_no_agent_are_named_together(tool: Tool) -> None:
    text = tool.folder / "text"
    text.write_text("hello")
    said = tool("--output", "out", "--plugin", text, "--agent", f"linux/amd64={text}")
    assert said.code == _USAGE
    assert [line.rpartition(": must")[0] for line in said.lines] == [
        f"image: --plugin {text} is not allowed: it is no WebAssembly module",
        f"image: --agent linux/amd64={text} is not allowed: it is no ELF executable",
    ]
    assert not (tool.folder / "out").exists()


def test_an_agent_for_another_machine_is_refused(tool: Tool) -> None:
    words = agents()
    path = words[1].partition("=")[2]
    wrong = "arm64" if words[1].startswith("linux/amd64") else "amd64"
    said = tool("--output", "out", "--plugin", wasm(), "--agent", f"linux/{wrong}={path}")
    assert said.code == _USAGE
    assert f"must be for linux/{wrong}" in said.lines[0]


def test_an_agent_that_needs_shared_libraries_is_refused(tool: Tool) -> None:
    platform = agents()[1].partition("=")[0]
    said = tool("--output", "out", "--plugin", wasm(), "--agent", f"{platform}=/bin/true")
    assert said.code == _USAGE
    assert "needs shared libraries: must be linked statically" in said.lines[0]


def test_a_folder_with_other_files_is_left_alone(tool: Tool) -> None:
    (tool.folder / "out").mkdir()
    (tool.folder / "out" / "thesis").write_text("three years")
    said = tool("--output", "out")
    assert said.code == _USAGE
    assert "--output out is not allowed: it has other files in it" in said.lines[0]
    assert snapshot(tool.folder / "out").keys() == {"thesis"}


def test_a_file_in_the_folders_place_is_left_alone(tool: Tool) -> None:
    (tool.folder / "out").write_text("a file")
    said = tool("--output", "out")
    assert said.code == _USAGE
    assert "it is no folder" in said.lines[0]


def test_the_images_of_an_earlier_run_are_replaced_whole(tool: Tool) -> None:
    out = tool.folder / "out"
    tool.make(out, SOURCE_DATE_EPOCH="1")
    before = snapshot(out)
    tool.make(out, SOURCE_DATE_EPOCH="2")
    after = snapshot(out)
    assert len(before) == len(after)
    assert before["images.json"] != after["images.json"]
    assert [path.name for path in tool.folder.iterdir()] == ["out"]


@pytest.mark.parametrize("earlier", [False, True])
def test_a_full_disk_is_one_line_and_leaves_what_was_there(tool: Tool, tmp_path: Path, earlier: bool) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200k", "none", disk], check=False, capture_output=True).returncode
        != 0
    ):
        pytest.skip("a full disk: mounting one needs root")
    try:
        if earlier:
            (disk / "out").mkdir()
            (disk / "out" / "images.json").write_text("{}")
        out = disk / "out"
        said = tool("--output", out, "--plugin", wasm(), *agents())
        assert said.code == 1
        advice = "make room there, or name another folder with --output"
        assert said.lines == [f"image: {out} cannot be written: No space left on device: {advice}"]
        assert [path.name for path in disk.iterdir()] == (["out"] if earlier else [])
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_folder_that_cannot_be_written_is_one_line(tool: Tool) -> None:
    # Nobody can make a folder there, not even root.
    said = tool("--output", "/proc/exeunt", "--plugin", wasm(), *agents())
    assert said.code == 1
    assert len(said.lines) == 1
    assert said.lines[0].startswith("image: /proc/exeunt cannot be written: ")


def test_a_missing_skopeo_is_one_line_that_says_how_to_get_it(tool: Tool) -> None:
    said = tool("--verify", "oci://ghcr.io/exeunt-dev/exeunt:1", PATH="/nonexistent")
    assert said.code == 1
    assert "skopeo is missing: as root, apt-get install skopeo" in said.out


def test_without_options_the_images_are_made_in_the_projects_target_folder(project_copy: Path) -> None:
    said = Tool(project_copy.parent)(PYTHONPATH=str(project_copy))
    assert said.code == 0, said.err
    made = Made(project_copy / "target" / "images")
    assert {name: [*image["platforms"]] for name, image in made.record["images"].items()} == {
        "exeunt": ["linux/amd64"],
        "exeunt-agent": [_OWN],
    }


def test_what_is_needed_is_said_before_anything_is_built(tool: Tool) -> None:
    assert tool("--needs").out.split() == ["plugin", "agent", "cargo"]
    assert tool("--needs", "--verify", "oci://ghcr.io/you/exeunt:1").out.split() == ["skopeo"]
    assert tool("--needs", "--plugin", wasm(), *agents()).out.split() == ["cargo"]


def test_an_agent_for_another_platform_is_needed_only_if_it_is_asked_for(tool: Tool) -> None:
    other = {"linux/amd64": "linux/arm64", "linux/arm64": "linux/amd64"}[_OWN]
    machine = other.removeprefix("linux/")
    assert tool("--needs", "--platform", other).out.split() == ["plugin", f"agent-{machine}", "cargo"]
    both = tool("--needs", "--platform", _OWN, "--platform", other)
    assert both.out.split() == ["plugin", "agent", f"agent-{machine}", "cargo"]


def test_the_registry_is_checked_before_anything_is_built(tool: Tool, registry: Registry) -> None:
    """build.sh builds what --needs prints; where it prints nothing and fails, build.sh stops."""
    plain = tool("--needs", "--push", f"{registry.name}/team")
    assert (plain.code, plain.out) == (1, "")
    assert plain.lines == [
        f"image: the registry {registry.name} cannot be used: the registry speaks plain HTTP, without TLS: "
        "add --insecure if you trust the network, or name a registry with TLS"
    ]
    allowed = tool("--needs", "--push", f"{registry.name}/team", "--insecure")
    assert (allowed.code, allowed.out.split()) == (0, ["plugin", "agent", "cargo", "skopeo"])


def test_an_authority_that_is_no_certificate_is_one_line(tool: Tool, registry: Registry) -> None:
    text = tool.folder / "text"
    text.write_text("hello")
    said = tool("--needs", "--push", registry.name, "--ca", text)
    assert (said.code, said.lines) == (1, [f"image: --ca {text} is not allowed: must have certificates in PEM form"])


def test_the_help_names_every_option_that_the_docs_name(tool: Tool) -> None:
    helped = tool("--help")
    assert helped.code == 0
    documented = (ROOT / "docs" / "images.md").read_text()
    for option in (
        "--output",
        "--platform",
        "--push",
        "--tag",
        "--verify",
        "--insecure",
        "--ca",
        "--auth-file",
        "--timeout",
        "--tries",
    ):
        assert option in helped.out
        assert option in documented
