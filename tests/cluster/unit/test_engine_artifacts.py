"""The slow artifact store, on a socket of this machine."""

import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from cluster.engines.programs import artifacts

Json = dict[str, Any]

HEAD = b"PUT /x HTTP/1.1\r\nHost: store\r\n"


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(artifacts, "RATE", 1_000_000_000)
    with artifacts.Server(("127.0.0.1", 0), artifacts.Store) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield "127.0.0.1", server.server_address[1]
        server.shutdown()
        thread.join()


def put(address: tuple[str, int], *pieces: bytes) -> bytes:
    """Sends these bytes, ends its half of the connection, and returns the answer."""
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(b"".join(pieces))
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


def ended(capsys: pytest.CaptureFixture[str]) -> Json:
    (event,) = [one for one in map(json.loads, capsys.readouterr().out.splitlines()) if one["event"] == "ended"]
    found: Json = event
    return found


@pytest.mark.parametrize(
    "pieces",
    [
        (b"Content-Length: 300000\r\n\r\n", bytes(300_000)),
        # What Argo sends.
        (b"Transfer-Encoding: chunked\r\n\r\n", b"186A0\r\n", bytes(100_000), b"\r\n30D40\r\n", bytes(200_000), b"\r\n0\r\n\r\n"),
    ],
    ids=["length", "chunked"],
)
def test_a_complete_artifact_is_counted_and_answered(
    address: tuple[str, int], pieces: tuple[bytes, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert put(address, HEAD, *pieces).startswith(b"HTTP/1.1 201 ")
    assert ended(capsys) == {"id": "x", "event": "ended", "bytes": 300_000, "how": "complete"}


@pytest.mark.parametrize(
    "pieces",
    [
        (b"Content-Length: 300000\r\n\r\n", bytes(1_000)),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"186A0\r\n", bytes(1_000)),
        # Every chunk is complete, but the last one is missing.
        (b"Transfer-Encoding: chunked\r\n\r\n", b"3E8\r\n", bytes(1_000), b"\r\n"),
    ],
    ids=["length", "in a chunk", "between chunks"],
)
def test_an_artifact_that_is_cut_off_gets_no_answer(
    address: tuple[str, int], pieces: tuple[bytes, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert put(address, HEAD, *pieces) == b""
    assert ended(capsys) == {"id": "x", "event": "ended", "bytes": 1_000, "how": "eof"}
