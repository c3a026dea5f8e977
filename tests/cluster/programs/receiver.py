"""A server outside of the mesh that counts bytes. It reads as slowly as each connection asks, and writes its events to stdout.

A connection begins with a line of JSON: its id, and how the server must read it. The server counts the bytes after it, and sends
no answer.
"""

import contextlib
import json
import socket
import threading
import time
from typing import Any

PORT = 9000
# Small, so that unread bytes stay in the proxy: the scenarios check whether the proxy loses them.
_BUFFER = 65_536
# The end of a connection whose pod has lost its network: such a pod sends no FIN.
_SILENCE_S = 20.0
# How often the progress of a connection is written.
_PROGRESS_S = 1.0


def say(**event: Any) -> None:
    """Writes one event; threads do not mix their lines."""
    print(json.dumps(event) + "\n", end="", flush=True)


def header_of(connection: socket.socket) -> dict[str, Any]:
    """Reads the first line of a connection."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionResetError("the connection ended before its header")
        line += byte
    header: dict[str, Any] = json.loads(line)
    return header


def serve(connection: socket.socket) -> None:
    """Serves one connection to its end."""
    with connection:
        connection.settimeout(_SILENCE_S)
        # A connection without a header is kubelet's probe, or one that was cut at its start.
        with contextlib.suppress(OSError, ValueError):
            count(connection, header_of(connection))


def count(connection: socket.socket, header: dict[str, Any]) -> None:
    """Counts the bytes, at the rate and with the pause that `header` asks for."""
    name, rate = header["id"], header.get("rate") or 0
    stall_at, stall_for = header.get("stallAt"), header.get("stallFor", 0)
    say(id=name, event="opened", bytes=0)
    total, began, reported, how = 0, time.monotonic(), time.monotonic(), "eof"
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
        if time.monotonic() - reported >= _PROGRESS_S:
            reported = time.monotonic()
            say(id=name, event="reading", bytes=total)
    say(id=name, event="ended", bytes=total, how=how)


def main() -> None:
    """Accepts connections for ever."""
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
