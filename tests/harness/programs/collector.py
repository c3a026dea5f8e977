"""A collector of telemetry: it reports which requests the access logs and spans that it gets are about.

It takes Zipkin's spans by HTTP/1.1, and all that comes by gRPC: the stream of Envoy's access log service, and OpenTelemetry's
logs and spans. It decodes none of them. A request counts as told when its path, `/told-` with eight digits, is in the body: all
these formats contain it as plain text, and a digit can be the byte that follows.

The scenarios of `./build.sh e2e` run it, too, with the Python of their task image: 3.9 and newer.
"""

import argparse
import http.server
import json
import re
import socket
import socketserver
import struct
import threading
import time
from typing import Any

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
# A gRPC message of no bytes: an empty answer of each service.
EMPTY = b"\0\0\0\0\0"
PATH = re.compile(rb"/told-\d{8}|/v1/complete|/v1/status")
LONGEST_PATH = 14

lock = threading.Lock()
silent = False


def say(**event: Any) -> None:
    """Writes one event; threads do not mix their lines."""
    with lock:
        print(json.dumps({"at": time.monotonic()} | event), flush=True)


def tell(body: bytes, by: str) -> None:
    """Reports the requests in `body`."""
    say(event="telemetry", by=by, paths=[path.decode() for path in PATH.findall(body)])


class Http(http.server.BaseHTTPRequestHandler):
    """Zipkin's API."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Takes spans."""
        tell(self.rfile.read(int(self.headers["content-length"])) if "content-length" in self.headers else self.chunks(), "http")
        if silent:
            time.sleep(60)
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def chunks(self) -> bytes:
        """The body in chunks."""
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: Any) -> None:
        """Writes nothing."""


class Collector(socketserver.BaseRequestHandler):
    """One connection."""

    request: socket.socket

    def handle(self) -> None:
        """Serves it by the protocol that it begins with."""
        if self.request.recv(len(PREFACE), socket.MSG_PEEK | socket.MSG_WAITALL) == PREFACE:
            grpc(self.request)
        else:
            Http(self.request, self.client_address, self.server)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2 (RFC 9113)."""
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def literal(name: bytes, value: bytes) -> bytes:
    """A header field without indexing (RFC 7541), for texts shorter than 127 bytes."""
    return b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value


def grpc(connection: socket.socket) -> None:
    """Takes the messages of every stream, and answers a stream when it ends. That of the access log service never does."""
    connection.sendall(frame(SETTINGS, 0, 0))
    head = literal(b":status", b"200") + literal(b"content-type", b"application/grpc")
    trailer = literal(b"grpc-status", b"0")
    # A frame can end within a path.
    ends: dict[int, bytes] = {}
    with connection.makefile("rb") as reader:
        reader.read(len(PREFACE))
        while len(start := reader.read(9)) == 9:
            kind, flags, stream = start[3], start[4], int.from_bytes(start[5:], "big") & 0x7FFFFFFF
            payload = reader.read(int.from_bytes(start[:3], "big"))
            if kind == SETTINGS and not flags & ACK:
                connection.sendall(frame(SETTINGS, ACK, 0))
            elif kind == PING and not flags & ACK:
                connection.sendall(frame(PING, ACK, 0, payload))
            elif kind == DATA:
                body = ends.pop(stream, b"") + payload
                tell(body, "grpc")
                ends[stream] = body[1 - LONGEST_PATH :]
                if payload:
                    window = struct.pack(">I", len(payload))
                    connection.sendall(frame(WINDOW_UPDATE, 0, 0, window) + frame(WINDOW_UPDATE, 0, stream, window))
                if flags & END_STREAM and not silent:
                    answer = frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, 0, stream, EMPTY)
                    connection.sendall(answer + frame(HEADERS, END_HEADERS | END_STREAM, stream, trailer))


class Server(socketserver.ThreadingTCPServer):
    """Each connection has a thread."""

    allow_reuse_address = True
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A connection that is cut is the end of a proxy."""


def main() -> None:
    """Accepts connections for ever."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--silent", action="store_true")
    options = parser.parse_args()
    global silent
    silent = options.silent
    with Server((options.listen, options.port), Collector) as server:
        say(event="listening", port=server.server_address[1])
        server.serve_forever()


if __name__ == "__main__":
    main()
