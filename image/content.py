"""The blobs of OCI images, whose names are their digests."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
# Istio and every container runtime take it. Istio refuses zstd layers.
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


@dataclass(frozen=True)
class Blob:
    """Bytes with a media type."""

    media_type: str
    data: bytes

    @property
    def digest(self) -> str:
        """As registries and layouts name it."""
        return digest_of(self.data)

    def descriptor(self, **more: Any) -> Json:
        """How an index or a manifest refers to it; `more` are a platform or annotations."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)} | more


def digest_of(data: bytes) -> str:
    """The digest of bytes: `sha256:` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def json_blob(media_type: str, document: Json) -> Blob:
    """A document as a blob: the same bytes for the same document, whatever the order of its keys."""
    return Blob(media_type, json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode())
