"""Keeps a node busy with loops that never sleep, and writes the node's load average to stdout.

usage: load.py LOAD NODE

It runs as many loops as are missing: what else wants to run on the node counts, too. Until the average of a minute has reached
LOAD it runs twice as many, because such an average rises slowly.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

# Of the node: a container has no load average of its own.
_LOADAVG = Path("/proc/loadavg")
_SAMPLE_S = 0.2
_SAMPLES = 25
# How much of a new measurement of the others counts: what they want to run changes all the time.
_WEIGHT = 0.3
# If nobody removes the pod, the loops end by themselves; the longest run takes less than an hour.
_LONGEST_S = 2 * 3600.0


def average() -> float:
    """The node's load average of the last minute."""
    return float(_LOADAVG.read_text().split()[0])


def runnable() -> float:
    """How many threads of the node want to run, on average over some seconds."""
    total = 0
    for _ in range(_SAMPLES):
        time.sleep(_SAMPLE_S)
        total += int(_LOADAVG.read_text().split()[3].partition("/")[0])
    return total / _SAMPLES


def missing(load: int, others: float, *, rising: bool) -> int:
    """How many loops are needed beside the others; one at least."""
    return 2 * load if rising else max(1, round(load - others))


def start() -> int:
    """Starts one loop; its process id."""
    pid = os.fork()
    if pid == 0:
        # Not the parent's handler.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        while True:
            pass
    return pid


def end(pids: list[int]) -> None:
    """Ends these loops."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def main() -> int:
    """Runs the loops until SIGTERM, or idles after the longest time."""
    load, node = int(sys.argv[1]), sys.argv[2]
    # The first process of a container gets no signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    until = time.monotonic() + _LONGEST_S
    pids: list[int] = []
    others, rising = 0.0, average() < load
    while True:
        wanted = missing(load, others, rising=rising) if time.monotonic() < until else 0
        end(pids[wanted:])
        pids = pids[:wanted] + [start() for _ in range(wanted - len(pids))]
        others += _WEIGHT * (max(0.0, runnable() - len(pids)) - others)
        seen = average()
        rising = rising and seen < load
        print(json.dumps({"node": node, "load": seen, "loops": len(pids)}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
