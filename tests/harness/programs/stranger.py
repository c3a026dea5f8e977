"""A process of the pod that is not the proxy, and answers every request as a filter would, with a text of its choice."""

import argparse

# Python imports these on first use, when this process may no longer have access to the interpreter's folder.
import encodings.idna  # noqa: F401
import json
import os
import socket


def main() -> None:
    """Answers one connection after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--uid", type=int, required=True, help="the user of the process, and so of its listener")
    parser.add_argument("--status", type=int, required=True)
    parser.add_argument("--body", required=True, help="as a JSON string, so that it can have any character")
    options = parser.parse_args()
    body = json.loads(options.body).encode()
    head = f"HTTP/1.1 {options.status} X\r\nx-exeunt: 9.9.9\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    # Here, because this user may have no access to the interpreter's folder.
    os.setgroups([])
    os.setgid(options.uid)
    os.setuid(options.uid)
    listener = socket.create_server((options.listen, options.port))
    os.write(1, b'{"event": "listening"}\n')
    while True:
        connection, _ = listener.accept()
        with connection:
            if connection.recv(65536):
                os.write(1, b'{"event": "asked"}\n')
                connection.sendall(head.encode() + body)


main()
