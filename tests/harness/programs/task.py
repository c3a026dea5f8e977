"""The task of a batch pod: the program of its main container.

- `upload` writes to a TCP server as fast as the sockets accept, and exits at once, without waiting for anything.
- `request` sends one HTTP request and waits for the answer.
- `idle` does nothing.

Each begins when it reads a line from stdin, so that an agent can watch the process before. It reports on stdout, one JSON object
per line. Its exit code is `--exit`, or the number in the line from stdin, as in `go 7`.
"""

import argparse

# Python imports it on first use, when this process may no longer have access to the interpreter's folder.
import encodings.idna  # noqa: F401
import http.client
import json
import os
import random
import resource
import selectors
import signal
import socket
import sys
import time
import zlib

PIECE = 256 * 1024


def report(event: str, **fields: object) -> None:
    """Writes one report to stdout."""
    os.write(1, (json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n").encode())


class Upload:
    """The upload over one connection. The bytes repeat only after 256 KiB, so a lost or repeated piece changes the CRC."""

    def __init__(self, address: tuple[str, int], total: int, seed: int) -> None:
        self.left = total
        self.total = total
        self.crc = 0
        self._pattern = random.Random(seed).randbytes(PIECE)
        self._at = 0
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.connect(address)
        self.socket.setblocking(False)

    def write(self) -> bool:
        """Writes as much as the socket accepts; whether everything is written."""
        while self.left:
            piece = self._pattern[self._at : self._at + min(self.left, PIECE)]
            try:
                sent = self.socket.send(piece)
            except BlockingIOError:
                return False
            self.crc = zlib.crc32(piece[:sent], self.crc)
            self._at = (self._at + sent) % PIECE
            self.left -= sent
        return True


def upload(options: argparse.Namespace) -> None:
    """Uploads over all connections at the same time, in one thread."""
    uploads = [Upload(options.to, options.bytes, seed) for seed in range(options.connections)]
    report("connected", locals=[one.socket.getsockname() for one in uploads])
    failed = ""
    with selectors.DefaultSelector() as selector:
        for one in uploads:
            selector.register(one.socket, selectors.EVENT_WRITE, one)
        while selector.get_map() and not failed:
            for key, _ in selector.select():
                try:
                    if key.data.write():
                        selector.unregister(key.data.socket)
                except OSError as error:
                    failed = f"{type(error).__name__}: {error}"
    written = sum(one.total - one.left for one in uploads)
    report("written", bytes=written, crcs=[one.crc for one in uploads], failed=failed)


def request(options: argparse.Namespace) -> None:
    """Sends one HTTP request and waits for the answer."""
    connection = http.client.HTTPConnection(options.to[0], options.to[1], timeout=120)
    body = random.Random(0).randbytes(options.bytes)
    report("asking", bytes=len(body), crc=zlib.crc32(body))
    try:
        connection.request("POST", options.path, body=body, headers={"host": "backend.example"})
        response = connection.getresponse()
        report("answered", status=response.status, bytes=len(response.read()))
    except (OSError, http.client.HTTPException) as error:
        report("failed", error=f"{type(error).__name__}: {error}")


def host_and_port(text: str) -> tuple[str, int]:
    """Parses `HOST:PORT`."""
    host, _, port = text.rpartition(":")
    return host, int(port)


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["upload", "request", "idle"])
    parser.add_argument("--to", type=host_and_port, metavar="HOST:PORT")
    parser.add_argument("--bytes", type=int, default=0, help="per connection")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--path", default="/")
    parser.add_argument("--exit", type=int, default=0, help="the exit code")
    parser.add_argument("--killed-by", type=int, default=0, help="the number of the signal that ends the task instead of an exit")
    parser.add_argument("--uid", type=int, help="the user of the process and of its sockets")
    return parser.parse_args()


def main() -> None:
    """Waits for a line from stdin, works, ends."""
    options = arguments()
    if options.uid is not None:
        os.setgroups([])
        os.setgid(options.uid)
        os.setuid(options.uid)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    report("ready")
    words = sys.stdin.readline().split()
    if not words:
        os._exit(0)
    code = int(words[1]) if len(words) > 1 else options.exit
    if options.what == "upload":
        upload(options)
    elif options.what == "request":
        request(options)
    if options.killed_by:
        os.kill(os.getpid(), signal.Signals(options.killed_by))
        signal.pause()
    # Exits with every socket still open: the kernel keeps the bytes that it has accepted, as for any process that ends.
    os._exit(code)


if __name__ == "__main__":
    main()
