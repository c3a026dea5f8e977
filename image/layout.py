"""An image as an OCI layout: a folder that skopeo, crane, oras, podman and containerd read."""

from pathlib import Path

from .content import OCI_INDEX, Json, json_blob
from .images import Image

LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def layout_files(image: Image, tag: str) -> dict[str, bytes]:
    """The layout's files by their path. Its index.json is a table of contents; a push does not send it."""
    return {
        "oci-layout": LAYOUT,
        "index.json": contents([image.top.descriptor(annotations={"org.opencontainers.image.ref.name": tag})]),
        **{blob_path(blob.digest): blob.data for blob in image.blobs},
    }


def contents(descriptors: list[Json]) -> bytes:
    """An index.json with these entries."""
    return json_blob(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors}).data


def blob_path(digest: str) -> str:
    """The path of a blob in a layout."""
    return str(Path("blobs") / digest.replace(":", "/"))
