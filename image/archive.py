"""An image of one platform as an archive for `docker load`, `podman load`, `kind load image-archive` and `ctr images import`.

It is an OCI layout and a `docker save` archive at the same time, like Docker's own archives since version 25. A program that
reads it as a layout keeps the manifest, and so the digest.
"""

import io
import json
import tarfile

from .images import Single
from .layout import LAYOUT, blob_path, contents


def docker_archive(single: Single, name: str) -> bytes:
    """The archive. `name` is the image's name after it is loaded: REGISTRY/REPOSITORY:TAG."""
    tag = name.rpartition(":")[2]
    # containerd reads the first of these, all other programs read the second.
    named = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}
    saved = {
        "Config": blob_path(single.config.digest),
        "RepoTags": [name],
        "Layers": [blob_path(layer.blob.digest) for layer in single.layers],
    }
    files = {
        "oci-layout": LAYOUT,
        "index.json": contents([single.manifest.descriptor(annotations=named)]),
        "manifest.json": json.dumps([saved], separators=(",", ":")).encode(),
        **{blob_path(blob.digest): blob.data for blob in single.blobs},
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, data in sorted(files.items()):
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return archive.getvalue()
