"""Where a process runs and a connection is made: this machine's own network, or a namespace."""

import random
import socket
from collections.abc import Sequence
from typing import Protocol

Address = tuple[str, int]


class Network(Protocol):
    """A place to run processes in and to connect from."""

    # Whether `command` stays the parent of `argv`, and tells its process id on the descriptor `tell`.
    stays_outside: bool

    def command(self, argv: Sequence[str], *, container: str, uid: int | None, tell: int) -> list[str]:
        """The command that runs `argv` here, as the root process of a container and as a user."""
        ...

    def socket(self) -> socket.socket:
        """A TCP socket that lives here, wherever the caller runs."""
        ...


class Host:
    """The machine's own network, under the caller's own user."""

    stays_outside = False

    def command(self, argv: Sequence[str], *, container: str, uid: int | None, tell: int) -> list[str]:  # noqa: ARG002
        """The same command: without namespaces there are no containers, and one user only, as in the demo."""
        if uid is not None:
            raise ValueError("another user needs a namespace of its own")
        return list(argv)

    def socket(self) -> socket.socket:
        """A TCP socket."""
        return socket.socket(socket.AF_INET, socket.SOCK_STREAM)


HOST = Host()


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Ports on which nobody listens.

    They lie below the kernel's ephemeral range (from 32768), so that no outgoing connection can take one before it is used, and
    are drawn at random, so that two test runs on one machine hardly ever want the same.
    """
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(16_000, 32_000)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        ports.add(port)
    return list(ports)
