"""A small HTTP/1.1 client: one request per connection, or raw bytes for a request that is malformed on purpose."""

import http.client
import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .network import HOST, Address, Network


@dataclass(frozen=True)
class Answer:
    """An HTTP response."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, parsed as JSON."""
        return json.loads(self.body)


class Connection:
    """A kept-alive connection."""

    def __init__(self, address: Address, network: Network = HOST, timeout: float = 5.0) -> None:
        self._http = http.client.HTTPConnection(*address, timeout=timeout)
        self._http.sock = connected(address, network, timeout)

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """Sends one request and returns the answer."""
        self._http.request(method, path, body=body, headers=dict(headers or {}))
        response = self._http.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()


def connected(address: Address, network: Network = HOST, timeout: float = 5.0) -> socket.socket:
    """A connected TCP socket; the caller closes it."""
    sock = network.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    sock.settimeout(timeout)
    try:
        sock.connect(address)
    except OSError:
        sock.close()
        raise
    return sock


def ask(
    address: Address,
    method: str,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    *,
    network: Network = HOST,
    timeout: float = 5.0,
) -> Answer:
    """Sends one request on a new connection and returns the answer."""
    connection = Connection(address, network, timeout)
    try:
        return connection.ask(method, path, headers, body)
    finally:
        connection.close()


def raw(address: Address, request: bytes, *, network: Network = HOST, timeout: float = 5.0) -> bytes:
    """Sends the bytes unchanged, then reads until the other end closes or sends nothing for `timeout` seconds."""
    answer = b""
    with connected(address, network, timeout) as sock:
        sock.sendall(request)
        try:
            while piece := sock.recv(65536):
                answer += piece
        except (TimeoutError, ConnectionResetError):
            pass
    return answer
