"""The reference of an image: `REGISTRY/PATH:TAG@DIGEST`, as kubelet and the container runtimes read it.

Only the registry and the tag may have capitals. The first part is a registry if it has a dot or a port, or is localhost.
"""

import re

_PART = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_HOST_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PORT = r":[0-9]{1,5}"
_REGISTRY = (
    rf"(?:localhost(?:{_PORT})?|{_HOST_PART}(?:\.{_HOST_PART})+(?:{_PORT})?|{_HOST_PART}{_PORT}|\[[0-9A-Fa-f:]+\](?:{_PORT})?)"
)
_TAG = r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"@sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128})"
_REFERENCE = re.compile(rf"(?:{_REGISTRY}/)?{_PART}(?:/{_PART})*(?:{_TAG})?(?:{_DIGEST})?")


def image(text: str) -> str:
    """A reference that kubelet can read."""
    if not _REFERENCE.fullmatch(text):
        raise ValueError(
            "must be an image such as registry.example.com/team/exeunt-agent:0.1.0 or …@sha256:…, with small letters in its name"
        )
    return text
