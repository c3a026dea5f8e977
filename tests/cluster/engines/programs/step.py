"""A step of a workflow: uploads, writes files, or waits for SIGTERM, as its options say.

usage: step.py [--on-sigterm] [--upload N] [--rate N] [--file PATH --size N] [--text PATH WORDS] [--exit N]
"""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

# The task of the package `cluster`, from its own ConfigMap.
sys.path.insert(0, "/e2e")
# A step that gets no SIGTERM must not run for ever.
_LONGEST_WAIT_S = 120.0
_POLL_S = 0.1


def say(**event: Any) -> None:
    """Writes one event to stdout."""
    print(json.dumps(event), flush=True)


def wait_for_sigterm() -> bool:
    """Waits for SIGTERM; False if it did not come."""
    got: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: got.append(number))
    say(event="waiting for SIGTERM")
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while not got and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    say(event="SIGTERM" if got else "no SIGTERM")
    return bool(got)


def main() -> int:
    """Does what the options say, in the order of the usage line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--on-sigterm", action="store_true")
    parser.add_argument("--upload", type=int, default=0)
    parser.add_argument("--rate", type=int, default=0)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--text", nargs=2, metavar=("PATH", "WORDS"))
    parser.add_argument("--exit", type=int, default=0)
    options = parser.parse_args()
    if options.on_sigterm and not wait_for_sigterm():
        return 4
    if options.upload:
        import task  # type: ignore[import-not-found]

        task.wait_ready()
        words = {"id": os.environ["E2E_ID"], "rate": options.rate, "bytes": options.upload, "stall_at": None, "stall_for": 0}
        task.upload(argparse.Namespace(**words))
    if options.file:
        options.file.write_bytes(bytes(options.size))
    if options.text:
        Path(options.text[0]).write_text(options.text[1])
    return int(options.exit)


if __name__ == "__main__":
    sys.exit(main())
