"""Labels that a user adds to every pod with an agent."""

import re

_PART = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_PREFIX = rf"(?:{_PART}(?:\.{_PART})*/)?"
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = re.compile(_PREFIX + _NAME)
_VALUE = re.compile(rf"(?:{_NAME})?")
# They say whether a pod gets an agent, or a proxy. It has been decided when these labels are added.
_DECIDING = ("exeunt.dev/drain", "sidecar.istio.io/inject")


def labels(text: str) -> tuple[tuple[str, str], ...]:
    """Labels as `NAME=VALUE` with commas."""
    pairs = []
    for word in filter(None, map(str.strip, text.split(","))):
        key, equals, value = (part.strip() for part in word.partition("="))
        if not equals or not _KEY.fullmatch(key) or not _VALUE.fullmatch(value):
            raise ValueError(f"must be labels such as team=data,cost-center=42, but {word!r} is none")
        if key in _DECIDING:
            raise ValueError(f"must be without {key}, which the hook reads")
        pairs.append((key, value))
    return tuple(pairs)
