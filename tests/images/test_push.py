"""Pushing to a real registry, and what an independent client pulls from it."""

import json
from pathlib import Path

import pytest

from harness.flaky import Door
from harness.images import Made, Tool, agents, digest_of, members, skopeo
from harness.network import CLOSED
from harness.paths import wasm
from harness.registry import Authority, Registry

_PLAIN = "--tls-verify=false"
_NOT_ALLOWED = "does not allow it: log in with `skopeo login REGISTRY`, or give credentials with --auth-file FILE"


def _push(tool: Tool, prefix: str, *words: str | Path, **environment: str) -> tuple[int, str, list[str]]:
    said = tool("--output", tool.folder / "out", "--plugin", wasm(), *agents(), "--push", prefix, *words, **environment)
    return said.code, said.out, [line for line in said.lines if not line.startswith(str(tool.folder))]


@pytest.mark.parametrize("how", ["tag", "digest"])
def test_what_is_pushed_is_pulled_back_byte_for_byte(tool: Tool, made: Made, prefix: str, how: str) -> None:
    code, _, complaints = _push(tool, prefix, "--insecure")
    assert (code, complaints) == (0, [])
    for name in ("exeunt", "exeunt-agent"):
        suffix = f":{made.record['version']}" if how == "tag" else f"@{made.digest(name)}"
        raw = skopeo("inspect", "--raw", _PLAIN, f"docker://{prefix}/{name}{suffix}")
        assert digest_of(raw) == made.digest(name)


def test_the_pulled_plugin_is_one_oci_manifest_whose_last_layer_has_the_filter(tool: Tool, made: Made, prefix: str) -> None:
    assert _push(tool, prefix, "--insecure")[0] == 0
    image = f"docker://{prefix}/exeunt:{made.record['version']}"
    skopeo("copy", "--quiet", "--src-tls-verify=false", image, f"dir:{tool.folder / 'pulled'}")
    manifest = json.loads((tool.folder / "pulled" / "manifest.json").read_text())
    assert manifest["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert manifest["layers"][-1]["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip"
    layer = (tool.folder / "pulled" / manifest["layers"][-1]["digest"].partition(":")[2]).read_bytes()
    assert {name: data for name, (_, data) in members(layer).items()} == {"plugin.wasm": wasm().read_bytes()}
    config = json.loads(skopeo("inspect", "--config", _PLAIN, image))
    assert (config["os"], config["architecture"]) == ("linux", "amd64")


def test_a_push_prints_the_lines_to_paste(tool: Tool, made: Made, prefix: str) -> None:
    _, out, _ = _push(tool, prefix, "--insecure", "--tag", "1.2.3-rc1")
    assert f"{prefix}/exeunt:1.2.3-rc1 pushed: linux/amd64\n" in out
    assert f"url: oci://{prefix}/exeunt@{made.digest('exeunt')}\n" in out
    assert f"image: {prefix}/exeunt-agent@{made.digest('exeunt-agent')}\n" in out


def test_a_second_push_of_the_same_says_that_it_was_there_already(tool: Tool, prefix: str) -> None:
    _push(tool, prefix, "--insecure")
    _, out, complaints = _push(tool, prefix, "--insecure")
    assert out.count(" was there already: ") == 2
    assert complaints == []


def test_a_tag_that_moves_is_warned_of_with_both_digests(tool: Tool, made: Made, prefix: str) -> None:
    _push(tool, prefix, "--insecure")
    code, out, complaints = _push(tool, prefix, "--insecure", SOURCE_DATE_EPOCH="1")
    moved = Made(tool.folder / "out")
    assert code == 0
    moves = f"warning: the tag {prefix}/exeunt:{made.record['version']} moves from {made.digest('exeunt')} to the new image."
    assert complaints[0].startswith(moves)
    assert f"oci://{prefix}/exeunt@{moved.digest('exeunt')}" in out


def test_a_registry_with_tls_and_a_password_takes_it_from_who_trusts_it_and_may(
    tool: Tool, made: Made, tls_registry: Registry, authority: Authority
) -> None:
    access = ("--ca", authority.certificate, "--auth-file", tls_registry.auth_file(tool.folder))
    code, out, complaints = _push(tool, f"{tls_registry.name}/team", *access)
    assert (code, complaints) == (0, [])
    assert f"url: oci://{tls_registry.name}/team/exeunt@{made.digest('exeunt')}" in out


def test_a_certificate_that_nobody_trusts_is_one_line(tool: Tool, tls_registry: Registry) -> None:
    _refused(tool, tls_registry.name, "certificate is not trusted: give the authority's certificate with --ca FILE")


def test_no_password_is_one_line(tool: Tool, tls_registry: Registry, authority: Authority, tmp_path: Path) -> None:
    nobody = tmp_path / "nobody.json"
    nobody.write_text("{}")
    _refused(
        tool,
        tls_registry.name,
        f"{_NOT_ALLOWED} (no user name and password are known for it)",
        "--ca",
        authority.certificate,
        "--auth-file",
        nobody,
    )


def test_a_wrong_password_is_one_line(tool: Tool, tls_registry: Registry, authority: Authority) -> None:
    wrong = tls_registry.auth_file(tool.folder, "nay")
    _refused(
        tool,
        tls_registry.name,
        f"{_NOT_ALLOWED} (the user name or the password is wrong)",
        "--ca",
        authority.certificate,
        "--auth-file",
        wrong,
    )


def test_a_registry_without_tls_is_one_line_that_names_the_option(tool: Tool, registry: Registry) -> None:
    _refused(tool, registry.name, "speaks plain HTTP, without TLS: add --insecure")


def test_a_registry_that_is_down_is_one_line_after_as_many_tries_as_said(tool: Tool) -> None:
    place = f"{CLOSED[0]}:{CLOSED[1]}"
    _refused(
        tool,
        place,
        "nothing answers there: check that the registry runs and that the port is right (tried 2 times)",
        "--tries",
        "2",
    )


def test_a_registry_that_never_answers_is_one_line_within_the_timeout(tool: Tool) -> None:
    with Door() as silent:
        _refused(tool, silent.name, "did not answer in time: give a longer --timeout", "--timeout", "1", "--tries", "1")
        assert silent.callers > 0


def test_a_registry_that_is_in_trouble_for_a_moment_is_tried_again(tool: Tool, made: Made, registry: Registry) -> None:
    with Door(registry.name, turned_away=2) as door:
        code, out, _ = _push(tool, f"{door.name}/moment", "--insecure")
        assert code == 0
        assert made.digest("exeunt") in out


def test_a_registry_that_stays_in_trouble_is_one_line(tool: Tool, registry: Registry) -> None:
    with Door(registry.name, turned_away=1000) as door:
        _refused(tool, door.name, "the registry has a problem: try again later", "--insecure", "--tries", "2")


def _refused(tool: Tool, registry: str, advice: str, *words: str | Path) -> None:
    code, out, complaints = _push(tool, f"{registry}/refused", *words)
    assert code == 1
    assert out == ""
    assert len(complaints) == 1, complaints
    assert complaints[0].startswith(f"image: the registry {registry} cannot be used: ")
    assert not (tool.folder / "out").exists()
    assert advice in complaints[0]
