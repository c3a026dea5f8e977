"""A layer: one file at the root of a compressed archive, the same bytes at every making."""

import io
import tarfile
import zlib
from dataclasses import dataclass

from .content import OCI_LAYER, Blob, digest_of


@dataclass(frozen=True)
class Layer:
    """A compressed layer, and the digest of what it is when unpacked, which the image's config names."""

    blob: Blob
    diff_id: str


def layer_of(name: str, data: bytes, mode: int) -> Layer:
    """A layer with one file of root's.

    Its dates are all zero, not the release's: a file that has not changed is then a layer that has not changed, and no node pulls
    it again.
    """
    archive = io.BytesIO()
    # USTAR has neither sub-second dates nor headers of its own making, which differ from one Python to the next.
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        member.mode = mode
        tar.addfile(member, io.BytesIO(data))
    unpacked = archive.getvalue()
    return Layer(Blob(OCI_LAYER, compress(unpacked)), digest_of(unpacked))


def compress(data: bytes) -> bytes:
    """As gzip, with a header that has neither a date nor a name in it."""
    # 31: the largest window, with a gzip header; zlib's own header says neither when nor what.
    deflate = zlib.compressobj(zlib.Z_BEST_COMPRESSION, zlib.DEFLATED, 31)
    return deflate.compress(data) + deflate.flush()
