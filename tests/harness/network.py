"""Where a process runs and a connection is made: this machine's own network, or a namespace."""

import random
import socket
from collections.abc import Sequence
from typing import Protocol

from .paths import Missing

Address = tuple[str, int]

# Where nobody listens: tcpmux, which no system has run for decades.
CLOSED: Address = ("127.0.0.1", 1)


class Network(Protocol):
    """A place to run processes in and to connect from."""

    # Whether `command` stays the parent of `argv`, and tells its process id on the descriptor `tell`.
    stays_outside: bool

    def command(self, argv: Sequence[str], *, container: str, uid: int | None, tell: int) -> list[str]:
        """The command that runs `argv` here, as the root process of a container and as a user."""
        ...

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
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

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A TCP socket."""
        return socket.socket(family, socket.SOCK_STREAM)


HOST = Host()


class Ports:
    """A block of ports that are free, and stay ours among all test runs on this machine until they are given back."""

    # Below the kernel's ephemeral range (from 32768), so that no outgoing connection takes one before it is used.
    _FIRST, _SIZE, _BLOCKS = 16_000, 16, 1_000

    def __init__(self) -> None:
        """Takes a block."""
        # At random, so that other programs' ports are not met again and again.
        for block in random.sample(range(self._BLOCKS), self._BLOCKS):
            numbers = range(self._FIRST + block * self._SIZE, self._FIRST + (block + 1) * self._SIZE)
            lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                # A name without a file (unix(7), abstract): the kernel gives it back even if this process is killed.
                lock.bind(f"\0exeunt-test-ports-{block}")
            except OSError:
                lock.close()
                continue
            if all(_is_free(number) for number in numbers):
                self._lock = lock
                self.numbers = list(numbers)
                return
            lock.close()
        raise Missing("no block of 16 ports between 16000 and 32000 is free: end what listens there")

    def give_back(self) -> None:
        """Nobody of ours listens there any more."""
        self._lock.close()


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Envoy binds: a connection that has ended there does not matter.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
