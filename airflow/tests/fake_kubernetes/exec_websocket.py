"""Kubernetes' exec over a WebSocket (RFC 6455): each message begins with the number of a channel (v4.channel.k8s.io)."""

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
_STDIN, _STDOUT, _STDERR, _ERROR = 0, 1, 2, 3
_NORMAL_CLOSURE = 1000


def serve_exec(handler: BaseHTTPRequestHandler, start: Callable[[list[str]], Any]) -> None:
    """Runs the command of the request and transfers its three streams, until the command ends or the client closes."""
    argv = parse_qs(urlsplit(handler.path).query)["command"]
    _accept(handler)
    process = start(argv)
    threading.Thread(target=_read_input, args=(handler, process), daemon=True).start()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        _send_output(handler, process)
    process.wait()


def _accept(handler: BaseHTTPRequestHandler) -> None:
    digest = hashlib.sha1(f"{handler.headers['sec-websocket-key']}{_GUID}".encode()).digest()  # noqa: S324 - RFC 6455 uses it
    handler.send_response(101)
    handler.send_header("upgrade", "websocket")
    handler.send_header("connection", "Upgrade")
    handler.send_header("sec-websocket-accept", base64.b64encode(digest).decode())
    handler.send_header("sec-websocket-protocol", "v4.channel.k8s.io")
    handler.end_headers()
    handler.close_connection = True


def _send_output(handler: BaseHTTPRequestHandler, process: Any) -> None:
    """Sends stdout and stderr of the process, then how it ended."""
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
    _send(handler, _CLOSE, struct.pack("!H", _NORMAL_CLOSURE))


def _read_input(handler: BaseHTTPRequestHandler, process: Any) -> None:
    """Writes what the client sends to the stdin of the process."""
    with contextlib.suppress(OSError, ValueError, struct.error):
        while True:
            opcode, data = _receive(handler)
            if opcode == _CLOSE:
                break
            if data[:1] == bytes([_STDIN]):
                process.stdin.write(data[1:])
                process.stdin.flush()
    with contextlib.suppress(OSError):
        process.stdin.close()


def _receive(handler: BaseHTTPRequestHandler) -> tuple[int, bytes]:
    """The opcode and the data of the next frame."""
    first, second = handler.rfile.read(2)
    length = second & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", handler.rfile.read(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", handler.rfile.read(8))
    # A client always masks its data.
    mask = handler.rfile.read(4)
    data = bytes(byte ^ mask[index % 4] for index, byte in enumerate(handler.rfile.read(length)))
    return first & 0x0F, data


def _send(handler: BaseHTTPRequestHandler, opcode: int, data: bytes) -> None:
    size = len(data)
    head = struct.pack("!BB", 0x80 | opcode, size) if size < 126 else struct.pack("!BBH", 0x80 | opcode, 126, size)
    handler.wfile.write(head + data)
    handler.wfile.flush()
