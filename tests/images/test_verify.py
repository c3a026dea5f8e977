"""Whether Istio takes an image: what --verify says about images in a registry, and what Istio's own code says."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.flaky import Door
from harness.images import Made, Tool, digest_of
from harness.judge import Judge
from harness.network import CLOSED
from harness.paths import wasm
from harness.registry import Authority, Registry

Json = dict[str, Any]
# Stores an image under a name in the registry, and returns the url that a WasmPlugin would have.
Store = Callable[[Registry, str], str]

_OCI = "application/vnd.oci.image."
_MANIFEST, _INDEX, _CONFIG = f"{_OCI}manifest.v1+json", f"{_OCI}index.v1+json", f"{_OCI}config.v1+json"
_GZIP, _ZSTD = f"{_OCI}layer.v1.tar+gzip", f"{_OCI}layer.v1.tar+zstd"
_DOCKER = "application/vnd.docker."
_DOCKER_MANIFEST, _DOCKER_CONFIG = f"{_DOCKER}distribution.manifest.v2+json", f"{_DOCKER}container.image.v1+json"
_DOCKER_GZIP = f"{_DOCKER}image.rootfs.diff.tar.gzip"
_BARE = "application/vnd.module.wasm.content.layer.v1+wasm"
_ARM = {"os": "linux", "architecture": "arm64"}
_AMD = {"os": "linux", "architecture": "amd64"}
_UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def _archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name.replace("__", "/").replace("_wasm", ".wasm"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return out.getvalue()


def _layer(**files: bytes) -> tuple[str, bytes]:
    return _GZIP, gzip.compress(_archive(**files))


def _good() -> tuple[str, bytes]:
    return _layer(plugin_wasm=wasm().read_bytes())


def _image(
    *layers: tuple[str, bytes],
    manifest: str = _MANIFEST,
    config: str = _CONFIG,
    platform: Json = _AMD,
    labels: Json | None = None,
) -> Store:
    def store(registry: Registry, repository: str) -> str:
        about = json.dumps(
            {**platform, "config": {"Labels": labels} if labels else {}, "rootfs": {"type": "layers", "diff_ids": []}}
        ).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": manifest,
            "config": _descriptor(config, about),
            "layers": [_descriptor(kind, data) for kind, data in layers],
        }
        registry.put(repository, "1", document, [about, *(data for _, data in layers)])
        return f"oci://{registry.name}/{repository}:1"

    return store


def _index(*platforms: Json | None, pinned: bool = False) -> Store:
    def store(registry: Registry, repository: str) -> str:
        _image(_good())(registry, repository)
        child = registry.manifest(repository, "1")
        entries = [_descriptor(_MANIFEST, child) | ({"platform": platform} if platform else {}) for platform in platforms]
        digest = registry.put(repository, "2", {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}, [])
        return f"oci://{registry.name}/{repository}{f'@{digest}' if pinned else ':2'}"

    return store


def _pinned(image: Store) -> Store:
    def store(registry: Registry, repository: str) -> str:
        image(registry, repository)
        return f"oci://{registry.name}/{repository}@{digest_of(registry.manifest(repository, '1'))}"

    return store


def _without_scheme(image: Store) -> Store:
    return lambda registry, repository: image(registry, repository).removeprefix("oci://")


def _suffix(image: Store, suffix: str) -> Store:
    """The same image with another tag or digest, which the registry does not have."""
    return lambda registry, repository: image(registry, repository).removesuffix(":1") + suffix


def _descriptor(kind: str, data: bytes) -> Json:
    return {"mediaType": kind, "digest": digest_of(data), "size": len(data)}


@dataclass(frozen=True)
class Case:
    """An image, and the expected verdict."""

    store: Store
    # Words of the refusal; empty if Istio takes it.
    refused: str = ""
    # Words of Istio's own refusal, which must have the same reason.
    because: str = ""
    # Words of a note.
    note: str = ""
    # Whether Istio's cache takes the url as it is. Without a scheme it does not: its control plane adds that.
    judged: bool = True


_TAKEN = {
    "one manifest with a gzip layer": Case(_image(_good())),
    "pinned by the manifest's digest": Case(_pinned(_image(_good()))),
    "without oci in front": Case(_without_scheme(_image(_good())), judged=False),
    "only the last layer counts": Case(_image(_layer(readme=b"hello"), _good())),
    "plugin.wasm in a folder": Case(_image(_layer(app__plugin_wasm=wasm().read_bytes()))),
    "Docker's media types": Case(
        _image((_DOCKER_GZIP, _good()[1]), manifest=_DOCKER_MANIFEST, config=_DOCKER_CONFIG),
    ),
    "an artifact of two layers": Case(_image((_BARE, wasm().read_bytes()), ("application/json", b"{}"))),
    "an index by its tag": Case(_index(_ARM, _AMD, _UNKNOWN), note="it is an index: that works by tag only"),
    "an index that names no platform": Case(_index(None), note="it is an index"),
    "a manifest of another platform, which Istio does not look at": Case(_image(_good(), platform=_ARM)),
}

_REFUSED = {
    "an index by its digest": Case(
        _index(_AMD, pinned=True),
        "is an index, and Istio compares it with the manifest inside, sha256:",
        because="which does not match",
    ),
    "an index without amd64": Case(
        _index(_ARM, _UNKNOWN),
        "it is an index without linux/amd64 (it has: linux/arm64, unknown/unknown)",
        because="no child with platform linux/amd64",
    ),
    "an empty index": Case(
        _index(), "it is an index without linux/amd64 (it has: none)", because="no child with platform linux/amd64"
    ),
    "a zstd layer": Case(
        _image((_ZSTD, b"\x28\xb5\x2f\xfd")),
        f"its last layer is {_ZSTD}, and Istio takes {_GZIP}",
        because="invalid media type application/vnd.oci.image.layer.v1.tar+zstd",
    ),
    "another layer behind": Case(
        _image(_good(), _layer(readme=b"hello")),
        "its last layer has no plugin.wasm (it has: readme)",
        because="plugin.wasm not found",
    ),
    "another name of the file": Case(
        _image(_layer(exeunt_wasm=b"\0asm")), "has no plugin.wasm (it has: exeunt.wasm)", because="plugin.wasm not found"
    ),
    "no layers": Case(_image(), "it has no layers", because="number of layers must be greater than zero"),
    "a layer that is no archive": Case(
        _image((_GZIP, b"not at all")), "its last layer is no gzip-compressed archive", because="failed to parse layer as tar.gz"
    ),
    "no module": Case(
        _image(_layer(plugin_wasm=b"#!/bin/true")),
        "its plugin.wasm is no WebAssembly module: it begins with 23 21",
        because="is invalid",
    ),
    "an artifact of one layer": Case(
        _image((_BARE, wasm().read_bytes())),
        "it is an artifact of 1 layer, and Istio takes one of 2",
        because="number of layers must be 2 but got 1",
    ),
    "an OCI layer in Docker's manifest": Case(
        _image(_good(), manifest=_DOCKER_MANIFEST, config=_DOCKER_CONFIG),
        f"its last layer is {_GZIP}, and Istio takes {_DOCKER_GZIP}",
        because="invalid media type application/vnd.oci.image.layer.v1.tar+gzip",
    ),
    "a tag that is missing": Case(
        _suffix(_image(_good()), ":9"),
        "the registry has nothing under that name: check the name, the tag and the digest",
        because="MANIFEST_UNKNOWN",
    ),
    "a digest that is missing": Case(
        _suffix(_image(_good()), f"@sha256:{'0' * 64}"), "the registry has nothing under that name", because="MANIFEST_UNKNOWN"
    ),
}


@pytest.mark.parametrize("case", _TAKEN.values(), ids=_TAKEN)
def test_what_istio_takes_we_call_taken(
    tool: Tool, registry: Registry, judge: Judge, request: pytest.FixtureRequest, case: Case
) -> None:
    url = case.store(registry, _repository(request))
    said = tool("--verify", url)
    assert said.code == 0, said.out
    assert "  taken     plugin.wasm has " in said.out
    assert case.note in said.out
    opinion = judge.ask(url if case.judged else f"oci://{url}")
    assert "error" not in opinion
    assert Path(opinion["file"]).read_bytes() == wasm().read_bytes()


@pytest.mark.parametrize("case", _REFUSED.values(), ids=_REFUSED)
def test_what_istio_refuses_we_call_refused_and_say_why(
    tool: Tool, registry: Registry, judge: Judge, request: pytest.FixtureRequest, case: Case
) -> None:
    url = case.store(registry, _repository(request))
    said = tool("--verify", url)
    assert said.code == 1
    assert case.refused in _refusal(said.out)
    assert case.because in judge.ask(url)["error"]


def test_what_we_push_istio_takes_by_tag_and_by_the_printed_pin(tool: Tool, made: Made, prefix: str, judge: Judge) -> None:
    pushed = tool.make(tool.folder / "out", "--push", prefix, "--insecure")
    pin = next(line.split("url: ")[1] for line in pushed.out.splitlines() if "url: " in line)
    for url in (f"oci://{prefix}/exeunt:{made.record['version']}", pin):
        assert tool("--verify", url).code == 0
        assert Path(judge.ask(url)["file"]).read_bytes() == wasm().read_bytes()


def test_the_pull_is_within_istios_limit_on_a_slow_line(tool: Tool, made: Made, prefix: str) -> None:
    tool.make(tool.folder / "out", "--push", prefix, "--insecure")
    said = tool("--verify", f"oci://{prefix}/exeunt:{made.record['version']}")
    manifest = made.document("exeunt", made.digest("exeunt"))
    size = len(made.blob("exeunt", made.digest("exeunt"))) + manifest["layers"][0]["size"]
    # In 30 s a line of 56 kbit/s carries 210,000 bytes: the proxy of a pod starts with the plugin even behind a telephone.
    assert size < 30 * 56_000 / 8
    assert f"pull      {size} bytes for each pod: within Istio's 30 s at {-(-size * 8 // 30_000)} kbit/s or more" in said.out


def test_a_registry_with_tls_and_a_password_is_judged_as_istio_judges_it(
    tool: Tool, tls_registry: Registry, authority: Authority, judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = ("--ca", authority.certificate, "--auth-file", tls_registry.auth_file(tool.folder))
    pushed = tool.make(tool.folder / "out", "--push", f"{tls_registry.name}/judged", *access)
    url = next(line.split("url: ")[1] for line in pushed.out.splitlines() if "url: " in line)
    said = tool("--verify", url, *access)
    assert said.code == 0, said.out
    assert (
        f"Istio's agent must trust the registry's certificate too, or have WASM_INSECURE_REGISTRIES={tls_registry.name}"
        in said.out
    )
    assert "certificate" in judge.ask(url, tool.folder)["error"]
    # Go's own way to be told of an authority.
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    assert judge.ask(url, tool.folder).get("error") is None
    assert "UNAUTHORIZED" in judge.ask(url)["error"]


@pytest.mark.parametrize("insecure", [(), ("--insecure",)], ids=["", "insecure"])
def test_plain_http_needs_no_setting_and_istio_takes_it(
    tool: Tool, registry: Registry, judge: Judge, request: pytest.FixtureRequest, insecure: tuple[str, ...]
) -> None:
    url = _image(_good())(registry, _repository(request))
    said = tool("--verify", url, *insecure)
    assert said.code == 0
    assert "the registry speaks plain HTTP: Istio then uses that, without any setting" in said.out
    assert "WASM_INSECURE_REGISTRIES" not in said.out
    assert "error" not in judge.ask(url)


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_the_agents_image_is_recognised_and_istio_does_not_take_it(
    tool: Tool, made: Made, prefix: str, judge: Judge, by: str
) -> None:
    pushed = tool.make(tool.folder / "out", "--push", prefix, "--insecure")
    pin = next(line.split("image: ")[1] for line in pushed.out.splitlines() if "image: " in line)
    url = f"oci://{prefix}/exeunt-agent:{made.record['version']}" if by == "tag" else f"oci://{pin}"
    said = tool("--verify", url)
    assert said.code == 1
    assert "it is exeunt's agent, and no plugin" in _refusal(said.out)
    assert f"as the agent of a pod use it so: image: {pin}\n" in said.out
    assert "error" in judge.ask(url)


def test_an_agents_image_that_has_lost_its_annotations_is_recognised_by_its_label(
    tool: Tool, registry: Registry, request: pytest.FixtureRequest
) -> None:
    """A copy by docker pull and docker push has a new manifest with the old config."""
    labels = {"org.opencontainers.image.title": "exeunt-agent"}
    url = _image(_layer(exeunt__agent=b"\x7fELF"), labels=labels)(registry, _repository(request))
    said = tool("--verify", url)
    assert said.code == 1
    assert "it is exeunt's agent, and no plugin" in _refusal(said.out)


def test_who_has_no_password_for_the_registry_is_told_so(tool: Tool, tls_registry: Registry, authority: Authority) -> None:
    nobody = tool.folder / "nobody.json"
    nobody.write_text("{}")
    said = tool("--verify", f"oci://{tls_registry.name}/exeunt:1", "--ca", authority.certificate, "--auth-file", nobody)
    assert said.code == 1
    assert "the registry does not allow it: log in with" in _refusal(said.out)


def test_a_registry_whose_realm_is_a_name_is_refused_though_it_has_a_good_image(
    tool: Tool, named_realm: Registry, judge: Judge
) -> None:
    access = ("--insecure", "--auth-file", named_realm.auth_file(tool.folder))
    pushed = tool.make(tool.folder / "out", "--push", f"{named_realm.name}/realm", *access)
    url = next(line.split("url: ")[1] for line in pushed.out.splitlines() if "url: " in line)
    said = tool("--verify", url, *access[1:])
    assert said.code == 1
    assert 'asks for a password in the name of "Registry Realm", which is no http or https address' in _refusal(said.out)
    assert "rejected unsafe bearer realm" in judge.ask(url, tool.folder)["error"]


def test_a_registry_that_is_down_is_told_from_an_image_that_is_missing(tool: Tool) -> None:
    said = tool("--verify", f"oci://{CLOSED[0]}:{CLOSED[1]}/exeunt:1", "--tries", "1")
    assert said.code == 1
    assert "nothing answers there" in _refusal(said.out)


def test_a_registry_that_never_answers_is_told_from_one_that_is_down(tool: Tool) -> None:
    with Door() as silent:
        said = tool("--verify", f"oci://{silent.name}/exeunt:1", "--tries", "1", "--timeout", "1")
    assert said.code == 1
    assert "did not answer in time" in _refusal(said.out)


def test_several_images_are_checked_in_one_call_and_one_refusal_fails_it(
    tool: Tool, registry: Registry, request: pytest.FixtureRequest
) -> None:
    url = _image(_good())(registry, _repository(request))
    said = tool("--verify", url, "--verify", f"{url}9")
    assert said.code == 1
    assert "taken" in said.out
    assert "refused" in said.out


def test_the_tag_latest_is_warned_of(tool: Tool, registry: Registry, request: pytest.FixtureRequest) -> None:
    repository = _repository(request)
    _image(_good())(registry, repository)
    manifest = json.loads(registry.manifest(repository, "1"))
    registry.put(repository, "latest", manifest, [])
    said = tool("--verify", f"oci://{registry.name}/{repository}")
    assert said.code == 0
    assert "Istio pulls the tag `latest` again" in said.out


def _refusal(out: str) -> str:
    lines = [line for line in out.splitlines() if line.startswith("  refused   ")]
    assert len(lines) == 1, out
    return lines[0]


def _repository(request: pytest.FixtureRequest) -> str:
    """A name that a registry allows, different for each test."""
    return "t" + digest_of(request.node.name.encode())[-12:]
