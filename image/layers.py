"""A layer: one file at the root of a compressed archive, always the same bytes."""

import io
import tarfile
import zlib
from dataclasses import dataclass

from .content import OCI_LAYER, Blob, digest_of


@dataclass(frozen=True)
class Layer:
    """A compressed layer, and the digest of the unpacked layer, which the image's config needs."""

    blob: Blob
    diff_id: str


def layer_of(name: str, data: bytes, mode: int) -> Layer:
    """A layer with one file, which belongs to root.

    All dates in it are zero, not the release's date: if the file has not changed, the layer has not changed, and no node pulls it
    again.
    """
    archive = io.BytesIO()
    # USTAR has no fractions of seconds and no extended headers, which depend on the version of Python.
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        member.mode = mode
        tar.addfile(member, io.BytesIO(data))
    unpacked = archive.getvalue()
    return Layer(Blob(OCI_LAYER, compress(unpacked)), digest_of(unpacked))


def compress(data: bytes) -> bytes:
    """Compresses with gzip, without a date and a name in the header."""
    # 31: the largest window, with a gzip header.
    deflate = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, 31)
    return deflate.compress(data) + deflate.flush()
