"""Quantities of Kubernetes: processor time and memory, as the settings give them.

Kubernetes has one grammar for both, and takes `4Mi` of processor time, or `400m` of memory, which is less than a byte. Nobody
means that, so each of the two has its own units here.
"""

import re
from decimal import Decimal

_NUMBER = r"([0-9]+(?:\.[0-9]+)?)"
_CPU = re.compile(_NUMBER + "(m?)")
_MEMORY = re.compile(_NUMBER + "(k|M|G|Ki|Mi|Gi)?")
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
# CRI-O refuses a container with a lower limit: runc itself needs that much to start one.
_LEAST_MEMORY_LIMIT = 12 * 2**20


def cpu(text: str) -> str | None:
    """Processor time, or none. Kubernetes counts it in thousandths of a processor."""
    if text == "none":
        return None
    match = _CPU.fullmatch(text)
    if not match or (match[2] and "." in match[1]) or not cores(text) or cores(text) * 1000 % 1:
        raise ValueError("must be none or processor time such as 10m or 0.5, and at least 1m")
    return text


def memory(text: str) -> str | None:
    """Memory, or none."""
    if text == "none":
        return None
    if not _MEMORY.fullmatch(text) or not octets(text):
        raise ValueError("must be none or memory such as 16Mi, with the unit k, M, G, Ki, Mi or Gi")
    return text


def memory_limit(text: str) -> str | None:
    """A limit of memory with which a container can start, or none."""
    limit = memory(text)
    if limit is not None and octets(limit) < _LEAST_MEMORY_LIMIT:
        raise ValueError("must be none or memory such as 16Mi, and at least 12Mi: with less a container cannot start everywhere")
    return limit


def cores(text: str) -> Decimal:
    """Valid processor time, in processors."""
    return Decimal(text[:-1]) / 1000 if text.endswith("m") else Decimal(text)


def octets(text: str) -> Decimal:
    """Valid memory, in bytes."""
    match = _MEMORY.fullmatch(text)
    assert match is not None
    return Decimal(match[1]) * _UNITS[match[2] or ""]
