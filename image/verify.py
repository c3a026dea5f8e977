"""Whether Istio takes an image from a registry: fetched and taken apart as its agent does it."""

import dataclasses
import math
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from . import istio
from .arguments import Registry
from .challenge import challenges
from .content import Json, digest_of
from .fault import Fault
from .reference import Reference
from .skopeo import Refusal, Skopeo

_PLAIN = "the registry speaks plain HTTP: Istio goes on with that, and whoever is in between can change what has no digest"
_TRUST = "Istio's agent must trust the registry's certificate, too, or have WASM_INSECURE_REGISTRIES="


@dataclass
class Verdict:
    """What Istio says to one image."""

    image: Reference
    # Empty where it is taken.
    refused: str = ""
    # Of the manifest that is fetched in the end: what a pin has to name.
    digest: str = ""
    module: bytes = b""
    # What a proxy downloads, in bytes.
    pull: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """As people read it."""
        if self.refused:
            return [f"oci://{self.image}", f"  refused   {self.refused}", *self._notes]
        # The proxy gives up after that time, and starts without the plugin; rounded up, so that it is never promised too early.
        rate = math.ceil(self.pull * 8 / istio.FETCH_SECONDS / 1000)
        return [
            f"oci://{self.image}",
            f"  taken     plugin.wasm has {len(self.module)} bytes",
            f"  pull      {self.pull} bytes for each pod: within Istio's {istio.FETCH_SECONDS} s from {rate} kbit/s on",
            f"  pin it    url: oci://{self.image.at(self.digest)}",
            *self._notes,
        ]

    @property
    def _notes(self) -> list[str]:
        return [f"  mind      {note}" for note in self.notes]


def verify(image: Reference, registry: Registry) -> Verdict:
    """The verdict; what the registry itself refuses is part of it."""
    verdict = Verdict(image)
    try:
        _fetch(verdict, _connect(verdict, registry))
    except (istio.Refused, Fault) as refused:
        verdict.refused = str(refused)
    return verdict


def _connect(verdict: Verdict, registry: Registry) -> Skopeo:
    """As Istio does it: with TLS, and without where the registry answers in plain HTTP."""
    skopeo = Skopeo(registry)
    try:
        skopeo.manifest(verdict.image)
    except Refusal as refusal:
        if refusal.kind != "plain":
            raise
        registry = dataclasses.replace(registry, insecure=True, ca=None)
        verdict.notes.append(_PLAIN)
    else:
        if registry.insecure or registry.ca is not None:
            verdict.notes.append(f"{_TRUST}{verdict.image.registry}")
    for header in challenges(verdict.image.registry, registry):
        istio.check_challenge(header)
    return Skopeo(registry)


def _fetch(verdict: Verdict, skopeo: Skopeo) -> None:
    data = skopeo.manifest(verdict.image)
    document = istio.read(data)
    verdict.pull = len(data)
    if istio.is_index(document):
        inside = istio.child(document)
        if verdict.image.digest:
            raise istio.Refused(
                f"{verdict.image.digest} is an index, and Istio compares it with the manifest inside, {inside}: pin that one"
            )
        verdict.notes.append(
            "it is an index: it works by its tag alone, and a digest must be that of the manifest inside, not the index's"
        )
        data = skopeo.manifest(verdict.image.at(inside))
        document = istio.read(data)
        verdict.pull += len(data)
    verdict.digest = digest_of(data)
    if verdict.image.digest and verdict.image.digest != verdict.digest:
        raise istio.Refused(f"the registry answers with {verdict.digest}, which is not the digest in the url")
    if verdict.image.tag == "latest":
        verdict.notes.append(
            "Istio pulls the tag `latest` again at every change of the WasmPlugin: name a version, or better a digest"
        )
    layer = istio.layer(document)
    with tempfile.TemporaryDirectory(prefix="exeunt-verify-") as folder:
        skopeo.download(verdict.image.at(verdict.digest), Path(folder))
        blob = _blob(Path(folder), layer)
    verdict.pull += len(blob)
    verdict.module = istio.module(layer, blob)


def _blob(folder: Path, layer: Json) -> bytes:
    return (folder / str(layer["digest"]).partition(":")[2]).read_bytes()
