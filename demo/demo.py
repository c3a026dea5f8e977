#!/usr/bin/env python3
"""Three ways for a pod to end, side by side, each with a real Envoy, the real sidecar configuration of Istio and a real task.

The task uploads some megabytes through Envoy to a server that reads slowly, and exits at once. `nothing`: nobody tells the
proxy. `sigkill`: what pilot-agent's /quitquitquit has done since Istio 1.26, as everybody's wrapper calls it. `exeunt`: ours.
"""

import json
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "tests")]

from acts import ACTS, Play  # noqa: E402
from arguments import Mistakes, Options, read  # noqa: E402
from ending import Ending  # noqa: E402
from harness import paths, release  # noqa: E402
from harness.wait import TooLate  # noqa: E402
from stage import Stage  # noqa: E402

# The names of sysexits(3).
EX_USAGE = 64
EX_UNAVAILABLE = 69
INTERRUPTED = 130


def main() -> int:
    """Reads the command line, plays, prints the table; the exit code says whether exeunt kept its promise."""
    try:
        options = read(sys.argv[1:])
    except Mistakes as mistakes:
        for mistake in mistakes.lines:
            print(f"demo: {mistake}", file=sys.stderr)
        return EX_USAGE
    if options.help:
        print(__doc__, options.usage, sep="\n", end="")
        return 0
    signal.signal(signal.SIGTERM, _interrupt)
    folder = Path(tempfile.mkdtemp(prefix="exeunt-demo-"))
    try:
        endings = _play(options, folder)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        print("demo: interrupted; everything it started is gone", file=sys.stderr)
        return INTERRUPTED
    except paths.Missing as missing:
        shutil.rmtree(folder, ignore_errors=True)
        print(f"demo: {missing}", file=sys.stderr)
        return EX_UNAVAILABLE
    except (TooLate, OSError) as failure:
        first = str(failure).splitlines()[0]
        print(f"demo: {first}; look into {folder} for what each process said", file=sys.stderr)
        return 1
    kept = endings["exeunt"].kept_the_promise
    if kept:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"demo: exeunt did not keep its promise; look into {folder} for what each process said", file=sys.stderr)
    return 0 if kept else 1


def _play(options: Options, folder: Path) -> dict[str, Ending]:
    # Before anything is shown: what is missing, or has to be fetched.
    release.binary(options.envoy)
    sizes = {"wasmBytes": paths.wasm().stat().st_size, "agentBytes": paths.agent().stat().st_size}
    stage = Stage(sys.stdout)
    with Play(stage, options, folder) as play:
        endings = play.run()
    stage.table(endings)
    if options.json is not None:
        acts = [endings[name].as_json() for name in ACTS]
        options.json.write_text(json.dumps({"envoy": options.envoy, **sizes, "acts": acts}, indent=2) + "\n")
    return endings


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
