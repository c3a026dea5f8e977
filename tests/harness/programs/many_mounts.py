"""Makes many bind mounts, which a task needs no right for: in a user namespace of its own. Then it runs a command in its place.

usage: many_mounts.py COUNT COMMAND [ARGUMENT …]

Each line of this process's mountinfo then has almost 7 KB: with 6,000 mounts it has 41 MB.
"""

import ctypes
import os
import sys
from pathlib import Path

# From linux/sched.h and linux/mount.h.
NEW_NAMESPACES = 0x10000000 | 0x00020000
MS_BIND = 4096
# A folder that every root has, and that no program needs.
PLACE = "/usr/share"
# The longest name of a file, and how many of them a line of mountinfo can have twice.
NAME = "x" * 255
DEPTH = 13

LIBC = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Ends the program if a call of the C library has failed."""
    if result != 0:
        number = ctypes.get_errno()
        sys.exit(f"{what}: {os.strerror(number)}")


def main() -> None:
    """Mounts, then becomes the command."""
    count, command = int(sys.argv[1]), sys.argv[2:]
    user, group = os.getuid(), os.getgid()
    check(LIBC.unshare(NEW_NAMESPACES), "unshare")
    # The files of an unmapped user cannot be made.
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        Path("/proc/self", file).write_text(text)
    check(LIBC.mount(b"tmpfs", PLACE.encode(), b"tmpfs", 0, None), f"a tmpfs at {PLACE}")
    home = Path.cwd()
    os.chdir(PLACE)
    for _ in range(DEPTH):
        Path(NAME).mkdir()
        os.chdir(NAME)
    for number in range(count):
        name = f"{number}"
        Path(name).mkdir()
        check(LIBC.mount(name.encode(), name.encode(), None, MS_BIND, None), f"mount {number}")
    os.chdir(home)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
