#!/usr/bin/env python3
"""Compares the ways to end a batch pod with an Istio proxy, on real Envoys. `./build.sh demo --help` explains it."""

import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

import picture  # noqa: E402
from arguments import Mistakes, Options, read  # noqa: E402
from comparison import Comparison  # noqa: E402
from harness import paths, release  # noqa: E402
from harness.wait import TooLate  # noqa: E402
from output import Output  # noqa: E402
from result import NoRun, Run  # noqa: E402

# The names of sysexits(3).
EX_USAGE = 64
EX_UNAVAILABLE = 69
INTERRUPTED = 130


def main() -> int:
    """Reads the command line, runs the cases, prints the table. The exit code says whether exeunt kept its promise."""
    try:
        options = read(sys.argv[1:])
    except Mistakes as mistakes:
        for mistake in mistakes.lines:
            print(f"demo: {mistake}", file=sys.stderr)
        return EX_USAGE
    signal.signal(signal.SIGTERM, _interrupt)
    output = Output(sys.stdout)
    folder = Path(tempfile.mkdtemp(prefix="exeunt-demo-"))
    keep = False
    try:
        run = Run.read(options.source) if options.source else _run(options, output, folder)
        _show(run, options, output)
        keep = not run.kept_its_promise
        if keep:
            print(f"demo: exeunt did not keep its promise; the logs of all processes are in {folder}", file=sys.stderr)
        return int(keep)
    except KeyboardInterrupt:
        print("demo: interrupted; everything that it started has ended", file=sys.stderr)
        return INTERRUPTED
    except NoRun as mistake:
        print(f"demo: {mistake}", file=sys.stderr)
        return EX_USAGE
    except paths.Missing as missing:
        print(f"demo: {missing}", file=sys.stderr)
        return EX_UNAVAILABLE
    except (TooLate, OSError) as failure:
        keep = True
        first = str(failure).splitlines()[0]
        print(f"demo: {first}; the logs of all processes are in {folder}", file=sys.stderr)
        return 1
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _run(options: Options, output: Output, folder: Path) -> Run:
    # First of all: what is missing, or has to be downloaded.
    release.binary(options.envoy)
    wasm_bytes, agent_bytes = paths.wasm().stat().st_size, paths.agent().stat().st_size
    with Comparison(output, options, folder) as comparison:
        results = comparison.run()
    return Run(options.envoy, wasm_bytes, agent_bytes, options.megabytes, options.rate, results)


def _show(run: Run, options: Options, output: Output) -> None:
    output.table(run.results)
    if options.json is not None:
        run.write(options.json)
    if options.svg is not None:
        options.svg.write_text(picture.draw(run))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
