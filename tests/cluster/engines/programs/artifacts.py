"""A slow artifact store outside of the mesh: takes each HTTP PUT at 2 MB/s, counts its bytes, and answers when it has them all.

It writes its events to stdout, in the form of the receiver of the package `cluster`. The id of a transfer is its path.
"""

import json
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PORT = 9100
RATE = 2_000_000
# Small, so that unread bytes stay in the proxy: the scenarios check whether the proxy loses them.
_BUFFER = 65_536
# The end of a connection whose pod has lost its network: such a pod sends no FIN.
_SILENCE_S = 20.0


def say(**event: Any) -> None:
    """Writes one event; threads do not mix their lines."""
    print(json.dumps(event) + "\n", end="", flush=True)


class Store(BaseHTTPRequestHandler):
    """Takes one artifact."""

    protocol_version = "HTTP/1.1"
    timeout = _SILENCE_S

    def do_PUT(self) -> None:
        """Reads the body slowly, and answers 201 if it is complete."""
        name = self.path.strip("/")
        say(id=name, event="opened", bytes=0)
        self._total, self._began = 0, time.monotonic()
        try:
            how = "complete" if self._read_body() else "eof"
        except OSError as error:
            how = "silence" if isinstance(error, TimeoutError) else "reset"
        say(id=name, event="ended", bytes=self._total, how=how)
        if how != "complete":
            self.close_connection = True
            return
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name that http.server gives)
        """Writes nothing: the events say more."""

    def _read_body(self) -> bool:
        """Whether the body is complete. Argo sends it in chunks, curl with its length."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self._read(int(self.headers["Content-Length"]))
        while size := int(self.rfile.readline() or b"0", 16):
            if not self._read(size) or self.rfile.readline() != b"\r\n":
                return False
        # The last chunk has the size 0, and an empty line ends the body. A connection that ends early has no such line.
        return self.rfile.readline() == b"\r\n"

    def _read(self, size: int) -> bool:
        """Reads as many bytes of the body, at the rate; False if the connection has ended before."""
        left = size
        while left > 0:
            piece = self.rfile.read1(min(_BUFFER, left))
            if not piece:
                return False
            left -= len(piece)
            self._total += len(piece)
            time.sleep(max(0.0, self._began + self._total / RATE - time.monotonic()))
        return True


class Server(ThreadingHTTPServer):
    """Listens with the small buffer."""

    def server_bind(self) -> None:
        """Sets the buffer before the connections inherit it."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        super().server_bind()


def main() -> None:
    """Serves for ever."""
    say(event="listening")
    Server(("", PORT), Store).serve_forever()


if __name__ == "__main__":
    main()
