"""An image of one platform as an archive for `docker load`, `podman load`, `kind load image-archive` and `ctr images import`.

It is at once an OCI layout and what `docker save` has always written, as Docker's own archives are since version 25: whoever
reads it as a layout keeps the manifest and so its digest.
"""

import io
import json
import tarfile

from .images import Single
from .layout import LAYOUT, blob_path, contents


def docker_archive(single: Single, name: str) -> bytes:
    """The archive; `name` is what the image is called once it is loaded: REGISTRY/REPOSITORY:TAG."""
    tag = name.rpartition(":")[2]
    # containerd names an image by the first of these, everybody else by the second.
    named = {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag}
    saved = {
        "Config": blob_path(single.config.digest),
        "RepoTags": [name],
        "Layers": [blob_path(single.layer.blob.digest)],
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
