"""A minimal HTTP/2 client (RFC 9113): it sends one request with prior knowledge and reads the body of the answer."""

import socket
import struct
from collections.abc import Mapping

from .client import connected
from .network import HOST, Address, Network

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1


def ask(
    address: Address, method: str, path: str, headers: Mapping[str, str], body: bytes = b"", *, network: Network = HOST
) -> bytes:
    """Sends one request and returns the body of the answer; empty if the server refuses the stream or the connection."""
    pairs = {":method": method, ":scheme": "http", ":authority": "localhost", ":path": path} | dict(headers)
    block = b"".join(_literal(name.encode(), value.encode()) for name, value in pairs.items())
    request = _PREFACE + _frame(_SETTINGS, 0, 0, b"")
    request += _frame(_HEADERS, _END_HEADERS | (0 if body else _END_STREAM), 1, block)
    if body:
        request += _frame(_DATA, _END_STREAM, 1, body)
    with connected(address, network) as sock:
        sock.sendall(request)
        return _answer(sock)


def _answer(sock: socket.socket) -> bytes:
    body = b""
    with sock.makefile("rb") as stream:
        while len(head := stream.read(9)) == 9:
            kind, flags = head[3], head[4]
            payload = stream.read(int.from_bytes(head[:3]))
            if kind == _SETTINGS and not flags & _ACK:
                sock.sendall(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _DATA:
                body += payload
            elif kind in (_RST_STREAM, _GOAWAY):
                break
            if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                break
    return body


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + struct.pack(">BBI", kind, flags, stream) + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """A header field without indexing, with a literal name (RFC 7541 §6.2.2), for names and values shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
