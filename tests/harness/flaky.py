"""A proxy in front of a registry that fails for the first connections, or never answers."""

import socket
import threading
from types import TracebackType
from typing import Self

_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Door:
    """Listens on a loopback port. It refuses the first connections and forwards the others to a registry."""

    def __init__(self, registry: str = "", *, turned_away: int = 0) -> None:
        """`registry` is HOST:PORT; without one, no connection gets an answer. `turned_away` connections get a 503."""
        self._registry = registry
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
                client, _ = self._listener.accept()
            except OSError:
                return
            self.callers += 1
            self._open.append(client)
            if self._left > 0:
                self._left -= 1
                threading.Thread(target=_refuse, args=(client,), daemon=True).start()
            elif self._registry:
                host, _, port = self._registry.partition(":")
                server = socket.create_connection((host, int(port)))
                self._open.append(server)
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_copy, args=(source, sink), daemon=True).start()


def _refuse(client: socket.socket) -> None:
    with client:
        # For a TLS client this plain answer is no TLS record (RFC 8446, 5.1), so its handshake fails.
        client.recv(65536)
        client.sendall(_UNAVAILABLE)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
