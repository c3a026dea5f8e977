"""./build.sh e2e: reads the command line, plays, reports; the exit code says whether everything held."""

import json
import os
import random
import shlex
import signal
import string
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from . import arguments, install, preflight, report
from .arguments import Mistakes, Options
from .run import all_of
from .scenarios import ALL, NAMES
from .site import Site
from .trouble import Interrupted, Refused, Trouble

# The names of sysexits(3).
EX_USAGE = 64
EX_UNAVAILABLE = 69
INTERRUPTED = 130


def main() -> int:
    """Does what the command line says."""
    try:
        options = arguments.read(sys.argv[1:], NAMES, dict(os.environ))
    except Mistakes as mistakes:
        for line in mistakes.lines:
            say(f"e2e: {line}")
        return EX_USAGE
    if options.help:
        print(arguments.USAGE, end="")
    elif options.listing:
        for scenario in ALL:
            print(f"{scenario.name:24} {scenario.sentence}")
    elif options.render:
        return _render(options.render)
    else:
        return _run(options)
    return 0


def say(line: str) -> None:
    """Progress, where it does not mix with the table."""
    print(line, file=sys.stderr, flush=True)


def _run(options: Options) -> int:
    # SIGINT, too: a shell starts what it puts in the background with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    options.namespace = options.namespace or "exeunt-e2e-" + "".join(random.choices(string.ascii_lowercase, k=5))
    try:
        run = _play(options)
    except Trouble as trouble:
        for line in trouble.lines:
            say(f"e2e: {line}")
        return EX_UNAVAILABLE
    except (KeyboardInterrupt, Interrupted):
        say("e2e: interrupted; what it had made is deleted")
        return INTERRUPTED
    if options.report is None:
        for line in report.evidence(run):
            say(line)
    print(report.table(run))
    if options.report is not None:
        report.write(run, options.report)
        say(f"written: {options.report}/e2e.json, e2e.xml, report.md")
    if run.interrupted:
        return INTERRUPTED
    return 1 if run.count(report.FAILED) else 0


def _play(options: Options) -> report.Run:
    # The client takes a second to load, and nothing else here needs it.
    from .kube import Kube

    install.check(options)
    kube = Kube(options.kubeconfig)
    version = preflight.before(kube, options.namespace)
    say(f"{kube.server}: Kubernetes {version['gitVersion']}; namespace {options.namespace}")
    scenarios = [scenario for scenario in ALL if not options.only or scenario.name in options.only]
    run = report.Run(date=datetime.now(UTC).strftime("%Y-%m-%d"), command=_command(), versions={})
    try:
        with Site(kube, options, say) as site:
            preflight.look_around(site, version)
            site.install()
            say("exeunt is installed and the receiver runs; a first pod shows whether the images come")
            preflight.probe(site)
            run.versions = site.versions | {
                "plugin": options.plugin_url,
                "agent": options.agent_image,
                "install": options.install,
            }
            say(", ".join(f"{name} {value}" for name, value in run.versions.items()))
            run.results, run.interrupted = all_of(scenarios, site, options.parallel, say)
    except Refused as refused:
        raise Trouble(f"the API server refuses: {refused}") from refused
    return run


def _render(files: list[str]) -> int:
    try:
        runs = [report.of_json(json.loads(Path(file).read_text())) for file in files]
    except (ValueError, KeyError, TypeError) as error:
        say(f"e2e: --render: one of {', '.join(files)} is no e2e.json of this tool's: {error}")
        return EX_USAGE
    print(report.page(runs), end="")
    return 0


def _command() -> str:
    """As it was typed, but for where the files are: that is nobody else's business."""
    words = sys.argv[1:]
    shown = [
        Path(word).name if place and words[place - 1] in ("--kubeconfig", "--report") else word
        for place, word in enumerate(words)
    ]
    return f"./build.sh e2e {shlex.join(shown)}"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
