"""Whether Istio takes an image from a registry: the image is fetched and unpacked by the rules of Istio's agent."""

import dataclasses
import json
import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import istio
from .arguments import Registry
from .content import Json, digest_of
from .fault import Fault
from .images import AGENT, PLUGIN
from .ping import ping
from .project import TITLE
from .reference import Reference
from .skopeo import Skopeo, require_skopeo

_PLAIN = (
    "the registry speaks plain HTTP: Istio then uses that, without any setting. Without a digest in the url, anybody on the "
    "network path can replace the module"
)
_TRUST = "Istio's agent must trust the registry's certificate too, or have WASM_INSECURE_REGISTRIES="
_AGENT = (
    "it is exeunt's agent, and no plugin: Istio does not take it, the node's container runtime does. A WasmPlugin's url needs "
    f"the image {PLUGIN}"
)


@dataclass
class Verdict:
    """What Istio says about one image."""

    image: Reference
    # Why not; empty if Istio takes it.
    refused: str = ""
    # The digest for the url: that of the manifest that is fetched in the end.
    digest: str = ""
    module: bytes = b""
    # The bytes that a proxy downloads.
    pull: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The verdict as text."""
        if self.refused:
            return [f"oci://{self.image}", f"  refused   {self.refused}", *self._notes]
        # After Istio's limit the proxy starts without the plugin. Rounded up, so the promise always holds.
        rate = math.ceil(self.pull * 8 / istio.FETCH_SECONDS / 1000)
        return [
            f"oci://{self.image}",
            f"  taken     plugin.wasm has {len(self.module)} bytes",
            f"  pull      {self.pull} bytes for each pod: within Istio's {istio.FETCH_SECONDS} s at {rate} kbit/s or more",
            f"  use it    url: oci://{self.image.at(self.digest)}",
            *self._notes,
        ]

    @property
    def _notes(self) -> list[str]:
        return [f"  note      {note}" for note in self.notes]


def verify(image: Reference, registry: Registry) -> Verdict:
    """The verdict. A registry that refuses or does not answer is a verdict, too."""
    verdict = Verdict(image)
    try:
        _fetch(verdict, _connect(verdict, registry))
    except (istio.Refused, Fault) as refused:
        verdict.refused = str(refused)
    return verdict


def _connect(verdict: Verdict, registry: Registry) -> Skopeo:
    """Connects as Istio does: with TLS, or without if the registry answers in plain HTTP."""
    require_skopeo()
    answer = ping(verdict.image.registry, registry)
    if not answer.tls:
        registry = dataclasses.replace(registry, insecure=True, ca=None)
        verdict.notes.append(_PLAIN)
    elif registry.insecure or registry.ca is not None:
        verdict.notes.append(f"{_TRUST}{verdict.image.registry}")
    for header in answer.challenges:
        istio.check_challenge(header)
    return Skopeo(registry)


def _fetch(verdict: Verdict, skopeo: Skopeo) -> None:
    data = skopeo.manifest(verdict.image)
    document = istio.read(data)
    _check_name(verdict, digest_of(data), document.get("annotations"))
    top = digest_of(data)
    verdict.pull = len(data)
    if istio.is_index(document):
        inside = istio.child(document)
        if verdict.image.digest:
            raise istio.Refused(
                f"{verdict.image.digest} is an index, and Istio compares it with the manifest inside, {inside}: use that digest"
            )
        verdict.notes.append(
            "it is an index: that works by tag only. A digest in the url must be that of the manifest inside, not the index's"
        )
        data = skopeo.manifest(verdict.image.at(inside))
        document = istio.read(data)
        verdict.pull += len(data)
    verdict.digest = digest_of(data)
    if verdict.image.digest and verdict.image.digest != verdict.digest:
        raise istio.Refused(f"the registry answers with {verdict.digest}, which is not the digest in the url")
    if verdict.image.tag == "latest":
        verdict.notes.append(
            "Istio pulls the tag `latest` again at every change of the WasmPlugin: use a version, or better a digest"
        )
    layer = istio.layer(document)
    with tempfile.TemporaryDirectory(prefix="exeunt-verify-") as folder:
        skopeo.download(verdict.image.at(verdict.digest), Path(folder))
        _check_name(verdict, top, _labels(Path(folder), document))
        blob = _blob(Path(folder), layer)
    verdict.pull += len(blob)
    verdict.module = istio.module(layer, blob)


def _check_name(verdict: Verdict, digest: str, names: Any) -> None:
    """Refuses the agent's image, by the title that our images carry as an annotation and as a label."""
    if isinstance(names, dict) and names.get(TITLE) == AGENT:
        verdict.notes.append(f"as the agent of a pod use it so: image: {verdict.image.at(digest)}")
        raise istio.Refused(_AGENT)


def _labels(folder: Path, manifest: Json) -> Any:
    """The labels in the image's config. An image that was copied by docker push has lost its annotations, but not these."""
    descriptor = manifest.get("config") or {}
    try:
        config = json.loads(_blob(folder, descriptor)).get("config")
    except (OSError, ValueError, KeyError, AttributeError):
        # An artifact's config has any form.
        return None
    return config.get("Labels") if isinstance(config, dict) else None


def _blob(folder: Path, descriptor: Json) -> bytes:
    return (folder / str(descriptor["digest"]).partition(":")[2]).read_bytes()
