"""A stand-in for ztunnel, which carries a pod's traffic in an ambient mesh: on the node, with its sockets in the pod's network.

Like the real one (istio/ztunnel, `src/config.rs`) it runs as root and listens in the pod's network namespace on 15001 (outbound),
15006 and 15008 (inbound) and 15053 (DNS). It forwards each captured connection over a second connection, half-closes included. It
does not encrypt, and it does not carry inbound traffic. It reports `ready` on stdout when it listens.
"""

import contextlib
import os
import socket
import struct
import threading

# <linux/netfilter_ipv4.h>
_SO_ORIGINAL_DST = 80
_PORTS = (15001, 15006, 15008, 15053)
# How many bytes of a connection it holds in its own memory, where no socket table shows them.
_BUFFER = 64 * 1024


def _forward(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_BUFFER):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


def _carry(captured: socket.socket) -> None:
    _, port, address = struct.unpack_from("!HH4s", captured.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16))
    with captured, contextlib.suppress(OSError), socket.create_connection((socket.inet_ntoa(address), port), timeout=5) as onward:
        onward.settimeout(None)
        back = threading.Thread(target=_forward, args=(onward, captured), daemon=True)
        back.start()
        _forward(captured, onward)
        back.join()


def main() -> None:
    """Listens, and carries connections until it is killed."""
    # Istio's rules for sidecars do not capture the connections of this group; those for ambient meshes use a packet mark instead.
    os.setgroups([])
    os.setgid(1337)
    listeners = [socket.create_server(("", port)) for port in _PORTS]
    os.write(1, b'{"event": "ready"}\n')
    while True:
        connection, _ = listeners[0].accept()
        threading.Thread(target=_carry, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
