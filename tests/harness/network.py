"""Where a process runs and where a connection starts: in this machine's own network or in a namespace."""

import socket
from collections.abc import Sequence
from typing import Protocol

Address = tuple[str, int]

# An address where nothing listens: port 1 is tcpmux, which no current system runs.
CLOSED: Address = ("127.0.0.1", 1)


class Network(Protocol):
    """A network in which processes run and connections start."""

    # Whether `command` stays as the parent of `argv`. Then it writes the process id of `argv` to the descriptor `tell`.
    starts_child: bool

    def command(self, argv: Sequence[str], *, container: str, uid: int | None, tell: int) -> list[str]:
        """The command that runs `argv` here, as the first process of a container and as a user."""
        ...

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A new TCP socket in this network, wherever the caller runs."""
        ...


class Host:
    """The machine's own network, with the caller's own user."""

    starts_child = False

    def command(self, argv: Sequence[str], *, container: str, uid: int | None, tell: int) -> list[str]:  # noqa: ARG002
        """`argv` unchanged: without namespaces there are no containers and only one user."""
        if uid is not None:
            raise ValueError("a process of another user needs a pod of its own")
        return list(argv)

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A new TCP socket."""
        return socket.socket(family, socket.SOCK_STREAM)


HOST = Host()
