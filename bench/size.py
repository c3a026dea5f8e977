#!/usr/bin/env python3
"""Builds the filter and prints its size as the compiler leaves it, after wasm-opt, and gzipped; with --agent the agent's, too.

    python3 bench/size.py [--agent]

The limits are those of build/artefacts.sh. The exit code is 0 only if all of them are kept.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from figures import Figure, report

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Builds, measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agent", action="store_true", help="build and measure the agent, too")
    options = parser.parse_args()
    figures = filter_sizes()
    if options.agent:
        build("agent")
        figures.append(Figure("agent, bytes", size(ROOT / "target/exeunt-agent"), limit("MAX_AGENT")))
    report(figures)
    return 0 if all(figure.met for figure in figures) else 1


def filter_sizes() -> list[Figure]:
    """The sizes of the filter. Where wasm-opt is missing, the compiler's module is shipped, and the limits do not apply to it."""
    build("wasm")
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    compiled = target / "wasm32-unknown-unknown/release/exeunt.wasm"
    shipped = ROOT / "target/exeunt.wasm"
    if shipped.read_bytes() == compiled.read_bytes():
        print("wasm-opt did not run: the filter is larger than the one that is released", file=sys.stderr)
    return [
        Figure("filter, as compiled, bytes", size(compiled), None),
        Figure("filter, bytes", size(shipped), limit("MAX_WASM")),
        Figure("filter, gzipped, bytes", gzipped_size(shipped), limit("MAX_WASM_GZIP")),
    ]


def build(verb: str) -> None:
    """Builds as a release does. The build fails, too, where a limit is exceeded, and prints the size."""
    if subprocess.run([ROOT / "build.sh", verb], stdout=sys.stderr, check=False).returncode:
        sys.exit(f"./build.sh {verb} failed")


def size(path: Path) -> int:
    """The size of a file in bytes."""
    return path.stat().st_size


def gzipped_size(path: Path) -> int:
    """The size of a file in bytes when gzipped, by the same program as in the build."""
    return len(subprocess.run(["gzip", "--best", "--no-name", "--stdout", path], stdout=subprocess.PIPE, check=True).stdout)


def limit(name: str) -> int:
    """A limit, as the build has it."""
    found = re.search(rf"^{name}=(\d+)$", (ROOT / "build/artefacts.sh").read_text(), re.MULTILINE)
    if not found:
        sys.exit(f"build/artefacts.sh has no {name}")
    return int(found[1])


if __name__ == "__main__":
    sys.exit(main())
