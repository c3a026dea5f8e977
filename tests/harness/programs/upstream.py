"""An upstream server that counts every byte. Its options make it slow, or stop it from reading, or delay its close.

It reports on stdout, one JSON object per line. It reports `listening` once, and for each connection `accepted`, `progress`, `fin`
or `reset` (with the number of bytes, their CRC-32 and the time of the last one) and `closed`. The HTTP server reports `request`
and `answered`.
"""

import argparse

# Python imports these on first use, when this process may no longer have access to the interpreter's folder.
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

# Small, so that unread bytes stay in the proxy, as they do behind a real network.
RECEIVE_BUFFER = 64 * 1024
# How often a slow server reads.
STEPS_PER_S = 50
# How often a connection reports its progress.
PROGRESS_EVERY_S = 0.1

_writing = threading.Lock()


def report(event: str, **fields: object) -> None:
    """Writes one report to stdout; threads do not mix their lines."""
    line = json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n"
    with _writing:
        os.write(1, line.encode())


def read_all(connection: socket.socket, number: int, rate: int) -> bool:
    """Reads to the end, at most `rate` bytes per second (0: no limit); whether the end was a FIN and not a reset."""
    piece = 256 * 1024 if rate == 0 else max(1, min(256 * 1024, rate // STEPS_PER_S))
    total, crc, started, in_order = 0, 0, time.monotonic(), True
    reported = last = started
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
        if last - reported >= PROGRESS_EVERY_S:
            reported = last
            report("progress", connection=number, bytes=total)
        if rate:
            time.sleep(max(0.0, started + total / rate - time.monotonic()))
    report("fin" if in_order else "reset", connection=number, bytes=total, crc=crc, last=last)
    return in_order


def serve_connection(connection: socket.socket, number: int, options: argparse.Namespace) -> None:
    """Serves one TCP connection, from accept to close."""
    with connection:
        report("accepted", connection=number)
        if options.mode == "never":
            # Reads nothing; the connection ends with this process.
            threading.Event().wait()
        if options.greeting:
            connection.sendall(options.greeting.encode())
        in_order = read_all(connection, number, options.rate)
        if in_order and options.close_after:
            time.sleep(options.close_after / 1000)
    report("closed", connection=number)


def serve_tcp(listener: socket.socket, options: argparse.Namespace) -> None:
    """Accepts connections for ever, each in its own thread because each sleeps between its reads."""
    number = 0
    while True:
        connection, _ = listener.accept()
        number += 1
        threading.Thread(target=serve_connection, args=(connection, number, options), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    """Answers every request with the head and the body of that request. `/slow?ms=N` waits before it answers."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Reads the request, reports it and answers."""
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
        """Reads the body, by content-length or in chunks."""
        if self.headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("content-length", "0")))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    # The method names that http.server calls.
    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing: the reports are enough."""


class HttpServer(socketserver.ThreadingTCPServer):
    """The HTTP server, on a listener that is already bound."""

    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname(), Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on; 0 for a free one, which is reported")
    parser.add_argument("--uid", type=int, help="the user of the process and of its sockets")
    parser.add_argument("--mode", choices=["read", "never", "http"], default="read")
    parser.add_argument("--rate", type=int, default=0, help="bytes per second and connection, 0 for no limit")
    parser.add_argument("--close-after", type=int, default=0, help="milliseconds between the client's FIN and this end's")
    parser.add_argument("--greeting", default="", help="text that every client gets at once")
    return parser.parse_args()


def main() -> None:
    """Listens, reports the port, and serves until it is killed or its stdin is closed."""
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
    # One of the tests starts 200 uploads at the same time.
    listener.listen(512)
    report("listening", port=listener.getsockname()[1])
    target = HttpServer(listener).serve_forever if options.mode == "http" else lambda: serve_tcp(listener, options)
    threading.Thread(target=target, daemon=True).start()
    # End together with the parent, even if the parent was killed.
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
