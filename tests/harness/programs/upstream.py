"""An upstream server in a process of its own: slow, silent, late or plain, and exact about every byte.

It reports on stdout, one JSON object a line: `listening`, and per connection `accepted`, `progress`, `fin` or `reset`
(with the number of bytes, their CRC-32, and when the last came), `closed`; the HTTP server reports `request` and `answered`.
"""

import argparse

# Python loads these late, when the user may no longer reach the interpreter's home.
import email.generator  # noqa: F401
import encodings.idna  # noqa: F401
import json
import os
import socket
import socketserver
import sys
import threading
import time
import traceback  # noqa: F401
import zlib
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

# Small, so that what the server has not read stays with the proxy, as it does behind a real network.
RECEIVE_BUFFER = 64 * 1024
# How finely a slow reader reads: fifty times a second.
STEPS_PER_S = 50
# How often it tells how far it is, for those who look on.
TELL_EVERY_S = 0.1

_writing = threading.Lock()


def report(event: str, **fields: object) -> None:
    """One line on stdout, whole, whichever thread writes it."""
    line = json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n"
    with _writing:
        os.write(1, line.encode())


def read_all(connection: socket.socket, number: int, rate: int) -> bool:
    """Reads to the end, at most `rate` bytes a second (0: as fast as they come); whether it ended in order, by FIN."""
    piece = 256 * 1024 if rate == 0 else max(1, min(256 * 1024, rate // STEPS_PER_S))
    total, crc, started, in_order = 0, 0, time.monotonic(), True
    told = last = started
    while True:
        try:
            data = connection.recv(piece)
        except OSError:
            in_order = False
            break
        if not data:
            break
        last = time.monotonic()
        total += len(data)
        crc = zlib.crc32(data, crc)
        if last - told >= TELL_EVERY_S:
            told = last
            report("progress", connection=number, bytes=total)
        if rate:
            time.sleep(max(0.0, started + total / rate - time.monotonic()))
    report("fin" if in_order else "reset", connection=number, bytes=total, crc=crc, last=last)
    return in_order


def serve_connection(connection: socket.socket, number: int, options: argparse.Namespace) -> None:
    """One TCP connection, from accept to close."""
    with connection:
        report("accepted", connection=number)
        if options.mode == "never":
            # Reads nothing as long as it lives; its end is the end of this process.
            threading.Event().wait()
        if options.greeting:
            connection.sendall(options.greeting.encode())
        in_order = read_all(connection, number, options.rate)
        if in_order and options.close_after:
            time.sleep(options.close_after / 1000)
    report("closed", connection=number)


def serve_tcp(listener: socket.socket, options: argparse.Namespace) -> None:
    """Accepts for ever; a thread per connection, because each sleeps by itself."""
    number = 0
    while True:
        connection, _ = listener.accept()
        number += 1
        threading.Thread(target=serve_connection, args=(connection, number, options), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    """`/slow?ms=N` waits before it answers; every answer's body is the request's head and body, as they came."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Reads the request, reports it, answers."""
        body = self.read_body()
        report("request", method=self.command, path=self.path, bytes=len(body), crc=zlib.crc32(body))
        query = parse_qs(urlsplit(self.path).query)
        time.sleep(int(query.get("ms", ["0"])[0]) / 1000)
        head = f"{self.requestline}\r\n{self.headers}".encode()
        payload = head + body
        self.send_response(200)
        self.send_header("content-type", "application/octet-stream")
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
        report("answered", path=self.path)

    def read_body(self) -> bytes:
        """The body, by its length or in chunks."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    # The names that http.server looks for.
    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: reports are enough."""


class HttpServer(socketserver.ThreadingTCPServer):
    """The HTTP server on a listener that is already bound."""

    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 for a free one, which is reported")
    parser.add_argument("--uid", type=int, help="the user to become; sockets belong to it")
    parser.add_argument("--mode", choices=["read", "never", "http"], default="read")
    parser.add_argument("--rate", type=int, default=0, help="bytes per second and connection, 0 for no limit")
    parser.add_argument("--close-after", type=int, default=0, help="milliseconds between the client's FIN and this end's")
    parser.add_argument("--greeting", default="", help="text that is sent to every client at once")
    return parser.parse_args()


def main() -> None:
    """Listens, reports where, serves until it is killed or its parent's end of stdin closes."""
    options = arguments()
    if options.uid is not None:
        os.setgroups([])
        os.setgid(options.uid)
        os.setuid(options.uid)
    family = socket.AF_INET6 if ":" in options.listen else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    if options.mode != "http":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    listener.bind((options.listen, options.port))
    # 200 uploads arrive at once in one of the tests.
    listener.listen(512)
    report("listening", port=listener.getsockname()[1])
    target = HttpServer(listener).serve_forever if options.mode == "http" else lambda: serve_tcp(listener, options)
    threading.Thread(target=target, daemon=True).start()
    # End with the one who started us, even if it was killed.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
