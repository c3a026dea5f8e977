"""A network namespace; needs root."""

import contextlib
import ctypes
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .closing import Closing
from .paths import Missing

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace(Closing):
    """A named network namespace, deleted at the end of its `with` block."""

    def __init__(self, kind: str, *, of: int | None = None) -> None:
        """Creates a namespace and sets its loopback interface up; with `of`, names the namespace of that process instead."""
        self.name = f"exeunt-{kind}-{secrets.token_hex(3)}"
        self.path = Path("/run/netns") / self.name
        _run(*(["ip", "netns", "add", self.name] if of is None else ["ip", "netns", "attach", self.name, str(of)]))
        try:
            self.ip("link", "set", "lo", "up")
        except Missing:
            self.close()
            raise

    def ip(self, *words: str) -> None:
        """Runs the command `ip` in the namespace."""
        _run("ip", "-n", self.name, *words)

    def run(self, *argv: str, feed: bytes) -> "subprocess.CompletedProcess[bytes]":
        """Runs a command in the namespace to its end, with `feed` as its stdin."""
        words = ["ip", "netns", "exec", self.name, *argv]
        return subprocess.run(words, input=feed, capture_output=True, check=False)

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A new TCP socket in the namespace."""
        with self.entered():
            return socket.socket(family, socket.SOCK_STREAM)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is in the namespace during the `with` block."""
        outer = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        inner = os.open(self.path, os.O_RDONLY)
        try:
            _set_namespace(inner)
            try:
                yield
            finally:
                _set_namespace(outer)
        finally:
            os.close(outer)
            os.close(inner)

    def close(self) -> None:
        """Deletes the namespace."""
        _run("ip", "netns", "delete", self.name)


def _set_namespace(descriptor: int) -> None:
    # Python has os.setns only since 3.12.
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(*argv: str) -> None:
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Missing(f"{' '.join(argv)}: {run.stderr.strip()}")
