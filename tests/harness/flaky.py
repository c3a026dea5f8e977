"""A door in front of a registry that does not always open: it turns the first callers away, or is silent."""

import socket
import threading
from types import TracebackType
from typing import Self

_TROUBLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Door:
    """Listens on a loopback port; turns the first callers away, and leads the others to a registry."""

    def __init__(self, registry: str = "", *, turned_away: int = 0) -> None:
        """`registry` is HOST:PORT; without one nobody ever gets an answer."""
        self._behind = registry
        self._left = turned_away
        self.callers = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for connection in (self._listener, *self._open):
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:
                return
            self.callers += 1
            self._open.append(caller)
            if self._left > 0:
                self._left -= 1
                threading.Thread(target=_turn_away, args=(caller,), daemon=True).start()
            elif self._behind:
                host, _, port = self._behind.partition(":")
                behind = socket.create_connection((host, int(port)))
                self._open.append(behind)
                for source, sink in ((caller, behind), (behind, caller)):
                    threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _turn_away(caller: socket.socket) -> None:
    with caller:
        # TLS begins with this byte (RFC 8446, 5.1); in plain HTTP it is the answer that ends a handshake.
        caller.recv(65536)
        caller.sendall(_TROUBLE)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
