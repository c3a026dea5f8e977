"""Exec as Kubernetes does it: a WebSocket (RFC 6455) whose messages begin with the number of a channel (v4.channel.k8s.io)."""

import base64
import contextlib
import hashlib
import json
import select
import struct
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY, _CLOSE = 2, 8
_STDOUT, _STDERR, _ERROR = 1, 2, 3


def serve_exec(handler: BaseHTTPRequestHandler, start: Callable[[list[str]], Any]) -> None:
    """Runs the command that is asked for, and carries its three streams until it ends or the client goes."""
    argv = parse_qs(urlsplit(handler.path).query)["command"]
    digest = hashlib.sha1(f"{handler.headers['sec-websocket-key']}{_GUID}".encode()).digest()  # noqa: S324 - the protocol's
    handler.send_response(101)
    handler.send_header("upgrade", "websocket")
    handler.send_header("connection", "Upgrade")
    handler.send_header("sec-websocket-accept", base64.b64encode(digest).decode())
    handler.send_header("sec-websocket-protocol", "v4.channel.k8s.io")
    handler.end_headers()
    handler.close_connection = True
    process = start(argv)
    threading.Thread(target=_feed, args=(handler, process), daemon=True).start()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _carry(handler, process)
    process.wait()


def _carry(handler: BaseHTTPRequestHandler, process: Any) -> None:
    open_pipes = {process.stdout: _STDOUT, process.stderr: _STDERR}
    while open_pipes:
        for pipe in select.select(list(open_pipes), [], [])[0]:
            data = pipe.read1(32768)
            if data:
                _send(handler, _BINARY, bytes([open_pipes[pipe]]) + data)
            else:
                del open_pipes[pipe]
    code = process.wait()
    status: dict[str, Any] = {"metadata": {}, "status": "Success"}
    if code != 0:
        cause = {"reason": "ExitCode", "message": str(code)}
        status |= {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [cause]}}
    _send(handler, _BINARY, bytes([_ERROR]) + json.dumps(status).encode())
    _send(handler, _CLOSE, struct.pack("!H", 1000))


def _feed(handler: BaseHTTPRequestHandler, process: Any) -> None:
    """What the client writes goes to stdin, channel 0."""
    with contextlib.suppress(OSError, ValueError, struct.error):
        while True:
            first, second = handler.rfile.read(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", handler.rfile.read(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", handler.rfile.read(8))
            # A client always masks.
            mask = handler.rfile.read(4)
            data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(handler.rfile.read(length)))
            if first & 0x0F == _CLOSE:
                break
            if data[:1] == b"\0":
                process.stdin.write(data[1:])
                process.stdin.flush()
    with contextlib.suppress(OSError):
        process.stdin.close()


def _send(handler: BaseHTTPRequestHandler, opcode: int, data: bytes) -> None:
    size = len(data)
    head = struct.pack("!BB", 0x80 | opcode, size) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 126, size)
    handler.wfile.write(head + data)
    handler.wfile.flush()
