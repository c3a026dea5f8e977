"""Reads a Secret in Kubernetes' protobuf encoding: Helm keeps its releases in Secrets, and sends these in no other form."""

import base64
from collections import defaultdict

from chart.programs import Resource

MEDIA_TYPE = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\0"

# Field numbers of runtime.Unknown, v1.Secret, meta/v1.ObjectMeta, and of an entry of any map (generated.proto of each).
_RAW = 2
_METADATA, _DATA, _TYPE = 1, 2, 3
_NAME, _LABELS = 1, 11
_KEY, _VALUE = 1, 2


def read_secret(body: bytes) -> Resource:
    """The Secret as JSON would have it."""
    secret = _fields(_fields(body.removeprefix(_MAGIC))[_RAW][0])
    metadata = _fields(secret[_METADATA][0])
    labels = [_fields(entry) for entry in metadata[_LABELS]]
    data = [_fields(entry) for entry in secret[_DATA]]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": metadata[_NAME][0].decode(),
            "labels": {one[_KEY][0].decode(): one[_VALUE][0].decode() for one in labels},
        },
        "type": secret[_TYPE][0].decode(),
        "data": {one[_KEY][0].decode(): base64.b64encode(one[_VALUE][0]).decode() for one in data},
    }


def _fields(message: bytes) -> dict[int, list[bytes]]:
    """The length-delimited fields of a message by number; numbers are skipped."""
    found: dict[int, list[bytes]] = defaultdict(list)
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        if tag & 7 == 0:
            _, at = _varint(message, at)
            continue
        assert tag & 7 == 2, f"wire type {tag & 7} is in no Secret"
        length, at = _varint(message, at)
        found[tag >> 3].append(message[at : at + length])
        at += length
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        value |= (message[at] & 0x7F) << shift
        at += 1
        if message[at - 1] < 0x80:
            return value, at
        shift += 7
