"""What a process can read of the other processes that it sees: as its own user, and as each user in `--as` that it can become.

When it reads a line from stdin, it reports on stdout, one JSON object for each user: `pried`, with the names of the processes
whose arguments, environment, file system and memory it could read. After the next line it ends.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path


def report(event: str, **fields: object) -> None:
    """Writes one report to stdout."""
    os.write(1, (json.dumps({"event": event, "at": time.monotonic(), **fields}) + "\n").encode())


def memory(process: Path) -> None:
    """Reads a byte of its first mapping."""
    start = int((process / "maps").read_text().partition("-")[0], 16)
    with (process / "mem").open("rb", buffering=0) as mapped:
        mapped.seek(start)
        mapped.read(1)


READ: dict[str, Callable[[Path], object]] = {
    "arguments": lambda process: (process / "cmdline").read_bytes(),
    "environment": lambda process: (process / "environ").read_bytes(),
    "files": lambda process: list((process / "root").iterdir()),
    "memory": memory,
}


def pry() -> dict[str, list[str]]:
    """For each kind of data, the names of the processes that give it, without this one's own family and the pause process."""
    found: dict[str, list[str]] = {kind: [] for kind in READ}
    left_out = {1, os.getpid(), os.getppid()}
    for process in sorted(Path("/proc").glob("[0-9]*")):
        if int(process.name) in left_out:
            continue
        name = (process / "comm").read_text().strip()
        for kind, read in READ.items():
            with contextlib.suppress(OSError):
                read(process)
                found[kind].append(name)
    return found


def become(user: int) -> bool:
    """Changes the user for good; whether that is allowed."""
    try:
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
    except PermissionError:
        return False
    return True


def main() -> None:
    """Reports, waits, ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--as", dest="users", type=int, action="append", default=[])
    users = parser.parse_args().users
    sys.stdin.readline()
    report("pried", user=os.getuid(), **pry())
    for user in users:
        child = os.fork()
        if child == 0:
            report("pried", user=user, **pry()) if become(user) else report("refused", user=user)
            os._exit(0)
        os.waitpid(child, 0)
    report("over")
    sys.stdin.readline()


if __name__ == "__main__":
    main()
