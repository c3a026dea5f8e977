"""What `/proc` says about a process."""

import contextlib
import re
import time
from pathlib import Path


def pidfds(pid: int) -> int:
    """How many processes that still exist the process watches by pidfds. It may have two handles of one."""
    watched = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # The process may close a descriptor while the folder is read, and its number may be that of another file then.
        with contextlib.suppress(FileNotFoundError):
            if "pidfd" in str(link.readlink()):
                watched.update(_numbers(pid, "Pid", f"fdinfo/{link.name}"))
    # The kernel tells -1 for a process that has been reaped.
    return len(watched - {-1})


def number(pid: int, field: str, file: str = "status") -> int:
    """A number from `/proc/PID/status`, or from another file of the process."""
    (found,) = _numbers(pid, field, file)
    return found


def _numbers(pid: int, field: str, file: str) -> list[int]:
    text = Path(f"/proc/{pid}/{file}").read_text()
    return [int(found) for found in re.findall(rf"^{field}:\s+(-?\d+)$", text, re.MULTILINE)]


def name(pid: int) -> str:
    """The name of the process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_asleep(pid: int) -> bool:
    """Whether the process sleeps: state S, interruptible."""
    return re.search(r"^State:\s+S", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE) is not None


def switches(pid: int) -> int:
    """How often the kernel has stopped the process, voluntarily or not: a process that is never woken keeps this number."""
    return number(pid, "voluntary_ctxt_switches") + number(pid, "nonvoluntary_ctxt_switches")


def rests(pid: int) -> bool:
    """Whether the process sleeps for a tenth of a second: it does nothing any more until something wakes it."""
    before = switches(pid)
    time.sleep(0.1)
    return is_asleep(pid) and switches(pid) == before


def parents() -> dict[int, int]:
    """The parent of every process, by process id."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # A process may end while the folder is read.
        with contextlib.suppress(OSError, ValueError):
            # The name is in parentheses and may hold anything; after it come the state and the parent.
            found[int(stat.parent.name)] = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
    return found
