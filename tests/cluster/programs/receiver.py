"""A server outside of the mesh that reads as slowly as each connection asks, and says on stdout how many bytes it has got.

A connection begins with a line of JSON: its id, and how it is to be read. What follows is counted, and nothing is answered.
"""

import contextlib
import json
import socket
import threading
import time
from typing import Any

PORT = 9000
# Small, so that what is slow here stays with the sender and its proxy, whose loss is looked for.
_BUFFER = 65_536
# A pod whose network has vanished says nothing more, not even goodbye.
_SILENCE_S = 20.0
# How often a connection that moves is told of.
_NEWS_S = 1.0


def say(**event: Any) -> None:
    """One event, as a line of its own even among threads."""
    print(json.dumps(event) + "\n", end="", flush=True)


def header_of(connection: socket.socket) -> dict[str, Any]:
    """The line that a connection begins with."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionResetError("it ended before its header")
        line += byte
    header: dict[str, Any] = json.loads(line)
    return header


def serve(connection: socket.socket) -> None:
    """Reads one connection to its end."""
    with connection:
        connection.settimeout(_SILENCE_S)
        # Probes of kubelet's, and connections that were cut before they began.
        with contextlib.suppress(OSError, ValueError):
            count(connection, header_of(connection))


def count(connection: socket.socket, header: dict[str, Any]) -> None:
    """Counts what comes, at the rate and with the pause that `header` asks for."""
    name, rate = header["id"], header.get("rate") or 0
    stall_at, stall_for = header.get("stallAt"), header.get("stallFor", 0)
    say(id=name, event="opened", bytes=0)
    total, began, told, how = 0, time.monotonic(), time.monotonic(), "eof"
    while True:
        try:
            piece = connection.recv(_BUFFER)
        except TimeoutError:
            how = "silence"
            break
        except OSError:
            how = "reset"
            break
        if not piece:
            break
        total += len(piece)
        if stall_at is not None and total >= stall_at:
            say(id=name, event="stalled", bytes=total)
            time.sleep(stall_for)
            stall_at, began = None, time.monotonic() - (total / rate if rate else 0)
        if rate:
            time.sleep(max(0.0, began + total / rate - time.monotonic()))
        if time.monotonic() - told >= _NEWS_S:
            told = time.monotonic()
            say(id=name, event="reading", bytes=total)
    say(id=name, event="ended", bytes=total, how=how)


def main() -> None:
    """Serves for ever."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    listener.bind(("", PORT))
    listener.listen(128)
    say(event="listening")
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
