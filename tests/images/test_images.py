"""The images: their form, their contents, and that they are the same every time."""

import gzip
import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.images import DATE, Made, Tool, agent_files, digest_of, members, skopeo, snapshot
from harness.paths import ROOT, agent, wasm

_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_OWN = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}[os.uname().machine]


def test_the_plugin_is_one_manifest_for_linux_amd64_and_no_index(made: Made) -> None:
    manifest = made.document("exeunt", made.digest("exeunt"))
    assert manifest["mediaType"] == _MANIFEST
    assert "manifests" not in manifest
    assert [layer["mediaType"] for layer in manifest["layers"]] == [_LAYER]
    config = made.document("exeunt", manifest["config"]["digest"])
    assert (config["os"], config["architecture"]) == ("linux", "amd64")


def test_the_plugins_last_layer_has_plugin_wasm_at_its_root_and_it_is_the_shipped_filter(made: Made) -> None:
    manifest = made.document("exeunt", made.digest("exeunt"))
    files = members(made.blob("exeunt", manifest["layers"][-1]["digest"]))
    assert {name: data for name, (_, data) in files.items()} == {"plugin.wasm": wasm().read_bytes()}


def test_the_agents_image_has_its_binary_and_the_module_and_runs_the_binary_as_its_own_user(made: Made) -> None:
    top = made.document("exeunt-agent", made.digest("exeunt-agent"))
    platforms = made.record["images"]["exeunt-agent"]["platforms"]
    manifest = made.document("exeunt-agent", platforms[_OWN])
    config = made.document("exeunt-agent", manifest["config"]["digest"])
    assert config["config"]["Entrypoint"] == ["/exeunt-agent"]
    assert config["config"]["User"] == "15190:15190"
    assert "Cmd" not in config["config"]
    module, binary = [members(made.blob("exeunt-agent", layer["digest"])) for layer in manifest["layers"]]
    assert {name: data for name, (_, data) in module.items()} == {"plugin.wasm": wasm().read_bytes()}
    assert {name: data for name, (_, data) in binary.items()} == {"exeunt-agent": agent().read_bytes()}
    # Istio's proxy, which has another user, reads the module in an image volume.
    modes = [(member.mode, member.uid, member.gid) for member, _ in (module["plugin.wasm"], binary["exeunt-agent"])]
    assert modes == [(0o644, 0, 0), (0o755, 0, 0)]
    if len(platforms) > 1:
        assert {f"{d['platform']['os']}/{d['platform']['architecture']}": d["digest"] for d in top["manifests"]} == platforms


def test_the_module_s_layer_is_one_and_the_same_in_both_images_and_on_all_platforms(made: Made) -> None:
    (plugin,) = made.document("exeunt", made.digest("exeunt"))["layers"]
    for digest in made.record["images"]["exeunt-agent"]["platforms"].values():
        assert made.document("exeunt-agent", digest)["layers"][0] == plugin


def test_a_config_names_the_digest_of_each_unpacked_layer(made: Made) -> None:
    for name, image in made.record["images"].items():
        for digest in image["platforms"].values():
            manifest = made.document(name, digest)
            unpacked = [gzip.decompress(made.blob(name, layer["digest"])) for layer in manifest["layers"]]
            config = made.document(name, manifest["config"]["digest"])
            assert config["rootfs"]["diff_ids"] == [digest_of(layer) for layer in unpacked]
            # A tool that shows an image's history counts on an entry for each layer.
            assert len(config["history"]) == len(unpacked)


def test_an_image_says_what_it_is(made: Made) -> None:
    notes = made.document("exeunt", made.digest("exeunt"))["annotations"]
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    assert notes["org.opencontainers.image.revision"].removesuffix("-dirty") == revision
    assert notes["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"
    assert notes["org.opencontainers.image.version"] == made.record["version"]
    assert notes["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert notes["org.opencontainers.image.source"].startswith("https://")


def test_images_made_in_two_places_are_the_same_byte_for_byte(tool: Tool, made: Made) -> None:
    other = tool.folder / "another place" / "images"
    tool.make(other, "--plugin", _moved(wasm(), tool.folder), TZ="Asia/Kathmandu", LC_ALL="C", PYTHONHASHSEED="7")
    assert snapshot(other) == snapshot(made.folder)


def test_another_date_changes_the_manifest_and_not_the_layer(tool: Tool, made: Made) -> None:
    tool.make(tool.folder / "later", SOURCE_DATE_EPOCH=str(DATE + 1))
    later = Made(tool.folder / "later")
    assert later.digest("exeunt") != made.digest("exeunt")
    layers = [one.document("exeunt", one.digest("exeunt"))["layers"] for one in (made, later)]
    assert layers[0] == layers[1]


@pytest.mark.parametrize("transport", ["docker-archive", "oci-archive"])
def test_the_archive_is_read_as_docker_reads_it_and_as_a_layout(made: Made, tmp_path: Path, transport: str) -> None:
    archive = made.folder / f"exeunt-{made.record['version']}-linux-amd64.tar"
    assert skopeo("inspect", "--config", "--raw", f"{transport}:{archive}") == made.blob(
        "exeunt", made.document("exeunt", made.digest("exeunt"))["config"]["digest"]
    )
    skopeo("copy", "--quiet", f"{transport}:{archive}", f"dir:{tmp_path / 'pulled'}")
    manifest = json.loads((tmp_path / "pulled" / "manifest.json").read_text())
    layer = (tmp_path / "pulled" / manifest["layers"][-1]["digest"].partition(":")[2]).read_bytes()
    # docker-archive unpacks the layers that it finds compressed.
    unpacked = gzip.decompress(layer) if layer.startswith(b"\x1f\x8b") else layer
    with tarfile.open(fileobj=io.BytesIO(unpacked)) as tar:
        assert tar.getnames() == ["plugin.wasm"]


def test_an_archive_keeps_the_manifests_digest_for_those_who_read_it_as_a_layout(made: Made) -> None:
    archive = made.folder / f"exeunt-{made.record['version']}-linux-amd64.tar"
    raw = skopeo("inspect", "--raw", f"oci-archive:{archive}")
    assert digest_of(raw) == made.digest("exeunt")


def test_a_loaded_archive_is_called_as_the_published_image_is(made: Made) -> None:
    version = made.record["version"]
    with tarfile.open(made.folder / f"exeunt-agent-{version}-{_OWN.replace('/', '-')}.tar") as tar:
        files = {name: json.loads(_contents(tar, name)) for name in ("manifest.json", "index.json")}
    name = f"ghcr.io/exeunt-dev/exeunt-agent:{version}"
    assert files["manifest.json"][0]["RepoTags"] == [name]
    assert files["index.json"]["manifests"][0]["annotations"]["io.containerd.image.name"] == name


def test_the_agent_of_the_other_architecture_runs() -> None:
    foreign = {name: file for name, file in agent_files().items() if name != _OWN}
    if not foreign:
        pytest.skip("the agent of the other architecture: it could not be built here")
    for name, file in foreign.items():
        emulator = shutil.which({"linux/arm64": "qemu-aarch64-static", "linux/amd64": "qemu-x86_64-static"}[name])
        if emulator is None:
            pytest.skip("the agent of the other architecture: qemu is missing (as root, apt-get install qemu-user-static)")
        said = subprocess.run([emulator, file, "--version"], capture_output=True, text=True, check=True)
        native = subprocess.run([agent(), "--version"], capture_output=True, text=True, check=True)
        assert said.stdout == native.stdout


def test_the_bare_binaries_lie_beside_the_images(made: Made) -> None:
    version = made.record["version"]
    assert (made.folder / f"exeunt-{version}.wasm").read_bytes() == wasm().read_bytes()
    assert (made.folder / f"exeunt-agent-{version}-{_OWN.replace('/', '-')}").read_bytes() == agent().read_bytes()


def test_every_file_that_a_release_offers_has_its_checksum(made: Made) -> None:
    offered = {path.name for path in made.folder.iterdir() if path.is_file()} - {"SHA256SUMS", "images.json"}
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=made.folder, capture_output=True, text=True, check=True
    )
    assert {line.removesuffix(": OK") for line in checked.stdout.splitlines()} == offered


def _contents(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    assert file is not None
    return file.read()


def _moved(file: Path, folder: Path) -> Path:
    """A file with the same contents, and another name, date and mode."""
    moved = Path(shutil.copyfile(file, folder / "moved"))
    moved.chmod(0o600)
    os.utime(moved, (1, 1))
    # What the bill of materials knows about it goes with it.
    shutil.copyfile(f"{file}.json", f"{moved}.json")
    return moved
