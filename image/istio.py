"""Istio's rules for an image with a Wasm plugin: what its agent does with a manifest, an index and a layer.

Source: istio/istio pkg/wasm/imagefetcher.go and cache.go, and google/go-containerregistry pkg/v1/remote/index.go. The tests show
the same images to that code (tests/images/judge).
"""

import io
import ipaddress
import json
import posixpath
import re
import tarfile
import urllib.parse
import zlib
from typing import Any

from .content import DOCKER_INDEX, DOCKER_LAYER, DOCKER_MANIFEST, OCI_INDEX, OCI_LAYER, Json

# What go-containerregistry looks for in an index by default, and Istio keeps the default: on every kind of node.
PLATFORM = "linux/amd64"
# istiod's limit for one fetch (pilot/pkg/model/extensions.go). Istio does not try an image again.
FETCH_SECONDS = 30

_FILE = "plugin.wasm"
_ARTIFACT_LAYER = "application/vnd.module.wasm.content.layer.v1+wasm"
_MAGIC = b"\0asm"
# Private, loopback and link-local addresses, as Go's net.IP defines them.
_NEAR = [
    ipaddress.ip_network(network)
    for network in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "127.0.0.0/8",
        "::1/128",
        "169.254.0.0/16",
        "fe80::/10",
    )
]
_SCHEMA_1 = ("application/vnd.docker.distribution.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws")


class Refused(Exception):
    """Istio does not take the image; the text says why, and what to do."""


def read(data: bytes) -> Json:
    """A manifest or an index."""
    try:
        document = json.loads(data)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Refused("what the registry has under that name is no manifest: push the image again")
    if document.get("mediaType") in _SCHEMA_1 or document.get("schemaVersion") == 1:
        raise Refused("it is a manifest of Docker's schema 1, which is no longer supported: push it with a current client")
    return document


def is_index(document: Json) -> bool:
    """Whether it refers to manifests and not to layers."""
    return document.get("mediaType") in (OCI_INDEX, DOCKER_INDEX) or ("mediaType" not in document and "manifests" in document)


def child(index: Json) -> str:
    """The digest of the manifest that Istio takes from an index: the first one for its platform, or without a platform."""
    platforms = []
    for descriptor in index.get("manifests", []):
        given = descriptor.get("platform") or {"os": "linux", "architecture": "amd64"}
        name = f"{given.get('os')}/{given.get('architecture')}"
        if name == PLATFORM:
            return str(descriptor["digest"])
        platforms.append(name)
    has = ", ".join(platforms) or "none"
    raise Refused(
        f"it is an index without {PLATFORM} (it has: {has}), which Istio looks for on every node: push that one manifest alone"
    )


def layer(manifest: Json) -> Json:
    """The descriptor of the layer in which Istio looks for the module."""
    layers = manifest.get("layers") or []
    if not layers:
        raise Refused("it has no layers")
    last = layers[-1]
    if manifest.get("mediaType") == DOCKER_MANIFEST:
        return _of_type(last, DOCKER_LAYER)
    if last.get("mediaType") == OCI_LAYER:
        return dict(last)
    # The other form: an artifact with exactly two layers, one of which is the module itself.
    bare = [descriptor for descriptor in layers if descriptor.get("mediaType") == _ARTIFACT_LAYER]
    if bare and len(layers) == 2:
        return dict(bare[0])
    if bare:
        raise Refused(
            f"it is an artifact of {_count(layers)}, and Istio takes one of 2: push it as an image with {_FILE} in a layer"
        )
    return _of_type(last, OCI_LAYER)


def module(descriptor: Json, blob: bytes) -> bytes:
    """The module in that layer."""
    found = blob if descriptor["mediaType"] == _ARTIFACT_LAYER else _unpacked(blob)
    if len(found) < 8 or not found.startswith(_MAGIC):
        raise Refused(f"its {_FILE} is no WebAssembly module: it begins with {found[:8].hex(' ') or 'nothing'}")
    return found


def check_challenge(header: str) -> None:
    """Refuses the way in which a registry asks for a password (WWW-Authenticate), as Istio does since 1.27.8, 1.28.5 and 1.29.1.

    With this check, a registry cannot make the proxy send its credentials to an address inside the cluster.
    """
    for realm in re.findall(r'realm="([^"]*)"', header):
        url = urllib.parse.urlsplit(realm)
        reason = ""
        if url.scheme not in ("http", "https"):
            reason = "which is no http or https address"
        elif not url.hostname or url.hostname in ("localhost", "metadata.google.internal") or _is_near(url.hostname):
            reason = "which has no host, or one that is private"
        if reason:
            raise Refused(
                f'the registry asks for a password in the name of "{realm}", {reason}: let it ask in that of an https address '
                "(its realm), allow pulls without a password, or mirror the image"
            )


def _is_near(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in _NEAR)


def _of_type(descriptor: Json, wanted: str) -> Json:
    given = descriptor.get("mediaType")
    if given != wanted:
        raise Refused(
            f"its last layer is {given}, and Istio takes {wanted}: build it with gzip, not zstd, and with no layer after it"
        )
    return dict(descriptor)


def _unpacked(blob: bytes) -> bytes:
    names = []
    try:
        # 31 is gzip only, like Istio's reader; 47 would also take zlib's own form.
        with tarfile.open(fileobj=io.BytesIO(zlib.decompress(blob, 31)), mode="r:") as tar:
            for member in tar:
                names.append(member.name)
                if posixpath.basename(member.name) == _FILE:
                    return _contents(tar, member)
    except (zlib.error, tarfile.TarError, EOFError) as error:
        raise Refused(f"its last layer is no gzip-compressed archive ({error})") from error
    raise Refused(
        f"its last layer has no {_FILE} (it has: {', '.join(names[:5]) or 'nothing'}): put the module there under that name"
    )


def _contents(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    # A link or a folder with that name has no contents for Istio.
    file = tar.extractfile(member) if member.isreg() else None
    return file.read() if file is not None else b""


def _count(layers: list[Any]) -> str:
    return f"{len(layers)} layer" if len(layers) == 1 else f"{len(layers)} layers"
