"""Free TCP ports for one test."""

import random
import socket

from .paths import Missing


class Ports:
    """A block of free ports. No other test run on this machine gets them before `release`."""

    # Below the kernel's ephemeral range (from 32768), so that no outgoing connection takes one before it is used.
    _FIRST, _SIZE, _BLOCKS = 16_000, 16, 1_000

    def __init__(self) -> None:
        """Takes a block."""
        # In random order: otherwise every run first tries the same ports, which another program may hold.
        for block in random.sample(range(self._BLOCKS), self._BLOCKS):
            numbers = range(self._FIRST + block * self._SIZE, self._FIRST + (block + 1) * self._SIZE)
            lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                # An abstract name has no file (unix(7)): the kernel releases it even if this process is killed.
                lock.bind(f"\0exeunt-test-ports-{block}")
            except OSError:
                lock.close()
                continue
            if all(_is_free(number) for number in numbers):
                self._lock = lock
                self.numbers = list(numbers)
                return
            lock.close()
        raise Missing("no block of 16 ports between 16000 and 32000 is free: end the programs that listen there")

    def release(self) -> None:
        """Releases the block; the test's own programs no longer listen on it."""
        self._lock.close()


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Like Envoy: a connection that has ended on this port does not prevent the bind.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
