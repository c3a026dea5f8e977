"""A network namespace. Root only."""

import contextlib
import ctypes
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from .paths import Missing

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A named network namespace, deleted at the end of its `with` block."""

    def __init__(self, kind: str, *, of: int | None = None) -> None:
        """Makes it, with its loopback up; or names the one that the process `of` lives in."""
        self.name = f"exeunt-{kind}-{secrets.token_hex(3)}"
        self.path = Path("/run/netns") / self.name
        _run(*(["ip", "netns", "add", self.name] if of is None else ["ip", "netns", "attach", self.name, str(of)]))
        try:
            self.ip("link", "set", "lo", "up")
        except Missing:
            self.close()
            raise

    def ip(self, *words: str) -> None:
        """`ip` inside."""
        _run("ip", "-n", self.name, *words)

    def run(self, *argv: str, feed: bytes) -> "subprocess.CompletedProcess[bytes]":
        """A command inside, to its end."""
        words = ["ip", "netns", "exec", self.name, *argv]
        return subprocess.run(words, input=feed, capture_output=True, check=False)

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A TCP socket that lives inside."""
        with self.entered():
            return socket.socket(family, socket.SOCK_STREAM)

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The calling thread is inside for the time of the block."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        away = os.open(self.path, os.O_RDONLY)
        try:
            _set_namespace(away)
            try:
                yield
            finally:
                _set_namespace(home)
        finally:
            os.close(home)
            os.close(away)

    def close(self) -> None:
        """Deletes it."""
        _run("ip", "netns", "delete", self.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _set_namespace(descriptor: int) -> None:
    # os.setns came with Python 3.12.
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _run(*argv: str) -> None:
    run = subprocess.run(argv, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        raise Missing(f"{' '.join(argv)}: {run.stderr.strip()}")
