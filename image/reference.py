"""The names of images in a registry."""

import re
from dataclasses import dataclass

_HOST = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9A-Fa-f:]+\](:[0-9]{1,5})?")
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class BadName(ValueError):
    """A name that no registry can have; the text says what is allowed."""


@dataclass(frozen=True)
class Reference:
    """An image in a registry: by tag, or by digest."""

    registry: str
    repository: str
    tag: str = ""
    digest: str = ""

    @property
    def place(self) -> str:
        """The name without the tag and the digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def identifier(self) -> str:
        """The tag, or the digest."""
        return self.digest or self.tag

    def at(self, digest: str) -> "Reference":
        """An image of the same repository, by its digest."""
        return Reference(self.registry, self.repository, digest=digest)

    def __str__(self) -> str:
        return f"{self.place}@{self.digest}" if self.digest else f"{self.place}:{self.tag}"


def read_tag(text: str) -> str:
    """Checks a tag."""
    if not _TAG.fullmatch(text):
        raise BadName("must be 1 to 128 letters, digits, dots, underscores and hyphens, and not begin with a dot or a hyphen")
    return text


def read_prefix(text: str) -> str:
    """Checks REGISTRY or REGISTRY/PATH, where the images are pushed, each with its own name."""
    registry, _, path = text.partition("/")
    if not (_HOST.fullmatch(registry) and ("." in registry or ":" in registry or registry == "localhost")):
        raise BadName(
            "must begin with a registry's name, as in ghcr.io/exeunt-dev or 127.0.0.1:5000 (Docker Hub is docker.io/NAME)"
        )
    _check_path(path, may_be_empty=True)
    return text


def read_url(text: str) -> Reference:
    """Reads the `url` of a WasmPlugin as Istio does. The defaults are oci://, Docker Hub and the tag `latest`."""
    scheme, colon, rest = text.partition("://")
    if colon and scheme != "oci":
        raise BadName("must be an image, as in oci://ghcr.io/exeunt-dev/exeunt:0.1.0; files and http addresses cannot be checked")
    rest = rest if colon else text
    # Like Istio, this ignores the tag if there is a digest.
    rest, at, digest = rest.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise BadName("must have 64 lower-case hexadecimal digits after @sha256:")
    first, slash, path = rest.partition("/")
    if not (slash and ("." in first or ":" in first or first == "localhost")):
        first, path = "docker.io", rest if slash else f"library/{rest}"
    if not _HOST.fullmatch(first):
        raise BadName("must begin with a registry's name, as in oci://ghcr.io/exeunt-dev/exeunt:0.1.0")
    path, colon, tag = path.partition(":")
    _check_path(path, may_be_empty=False)
    if colon:
        read_tag(tag)
    return Reference(first, path, digest=digest) if at else Reference(first, path, tag=tag or "latest")


def _check_path(path: str, *, may_be_empty: bool) -> None:
    if path == "" and may_be_empty:
        return
    if not all(_PART.fullmatch(part) for part in path.split("/")):
        raise BadName("must have a path of lower-case letters and digits, with single dots, underscores or hyphens between them")
