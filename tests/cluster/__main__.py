"""./build.sh e2e: reads the command line, runs the scenarios and prints the results; the exit code says whether any has failed.

It needs installed packages only for a run on a cluster: --help, --list, --render and mistakes in the command line need only the
standard library.
"""

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

from . import arguments, capabilities, files, install, page, preflight, report, table, usage
from .airflow import prepare as airflow
from .airflow.scenarios import SCENARIOS as OF_AIRFLOW
from .arguments import Mistakes
from .engines import prepare as engines
from .engines.scenarios import ALL as OF_ENGINES
from .errors import Interrupted, Refused, RunError
from .injection import ways
from .injection.scenarios import SCENARIOS as OF_ORDINARY
from .load import Load
from .options import Options
from .run import run_all
from .scenario import Scenario
from .scenarios import ALL
from .site import Site

EVERY = (*ALL, *OF_ENGINES, *OF_ORDINARY, *OF_AIRFLOW)
# The names of sysexits(3).
EX_USAGE = 64
EX_UNAVAILABLE = 69
INTERRUPTED = 130


def main() -> int:
    """Does what the command line says."""
    try:
        options = arguments.read(sys.argv[1:], [scenario.name for scenario in EVERY], dict(os.environ))
    except Mistakes as mistakes:
        for line in mistakes.lines:
            say(f"e2e: {line}")
        say("e2e: ./build.sh e2e --help explains every option")
        return EX_USAGE
    if options.help:
        print(usage.text(), end="")
    elif options.listing:
        for scenario in EVERY:
            print(f"{scenario.name:32} {scenario.sentence}")
    elif options.render:
        return _render(options.render)
    else:
        return _run(options)
    return 0


def say(line: str) -> None:
    """Prints progress to stderr; stdout has only the results."""
    print(line, file=sys.stderr, flush=True)


def _run(options: Options) -> int:
    # A shell starts background jobs with SIGINT ignored, so the handler is set for SIGINT too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    options.namespace = options.namespace or "exeunt-e2e-" + "".join(random.choices(string.ascii_lowercase, k=5))
    try:
        run = _run_on_cluster(options)
    except RunError as error:
        for line in error.lines:
            say(f"e2e: {line}")
        return EX_UNAVAILABLE
    except (KeyboardInterrupt, Interrupted):
        say("e2e: interrupted; everything that the run had created is deleted")
        return INTERRUPTED
    if options.report is None:
        for line in table.evidence(run):
            say(line)
    print(table.table(run))
    if options.report is not None:
        files.write(run, options.report)
        say(f"written to {options.report}: {', '.join(files.NAMES)}")
    if run.interrupted:
        return INTERRUPTED
    return 1 if run.count(report.FAILED) else 0


def _run_on_cluster(options: Options) -> report.Run:
    # Imports the Kubernetes client, which only this function needs.
    from .kube import Kube

    install.check(options)
    kube = Kube(options.kubeconfig)
    version = preflight.check(kube, options.namespace, preflight.LOAD_RIGHTS if options.load else ())
    say(f"{kube.server}: Kubernetes {version['gitVersion']}; namespace {options.namespace}")
    scenarios = chosen(options)
    needed = sorted({scenario.engine for scenario in scenarios} - {""})
    engines.check(kube, options.namespace, needed)
    ways.check(kube, options.namespace, options.inject)
    airflow.check(kube, options.namespace, asked=options.airflow)
    run = report.Run(date=datetime.now(UTC).strftime("%Y-%m-%d"), command=_command(), versions={})
    try:
        with Site(kube, options, say) as site:
            capabilities.detect(site, version)
            site.install()
            say("exeunt is installed and the receiver runs; a first pod checks the images")
            capabilities.run_first_pod(site)
            engines.install(site, needed)
            run.versions = site.versions | {
                "plugin": options.plugin_url,
                "agent": options.agent_image,
                "install": options.install,
                **({report.AGENT_BY: options.inject, report.FILTER_FROM: options.source} if options.inject else {}),
            }
            say(", ".join(f"{name} {value}" for name, value in run.versions.items()))
            with Load(site, options.load, say) as load, ways.chosen(site, say):
                run.results, run.interrupted = run_all(scenarios, site, options.parallel, say)
            run.load = load.measured
    except Refused as refused:
        raise RunError(f"the API server refuses a request: {refused}") from refused
    return run


def chosen(options: Options) -> list[Scenario]:
    """The scenarios that are asked for: by name, or of ordinary Jobs, of Airflow, of the named engines, or all others."""
    if options.only:
        return [scenario for scenario in EVERY if scenario.name in options.only]
    suite = (bool(options.inject), options.airflow)
    wanted = [scenario for scenario in EVERY if (scenario.injected, scenario.airflow) == suite]
    return [scenario for scenario in wanted if scenario.engine in (options.engines or [""])]


def _render(names: list[str]) -> int:
    runs = []
    for name in names:
        try:
            runs.append(report.of_json(json.loads(Path(name).read_text())))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            say(f"e2e: --render {name} is not allowed: must be the e2e.json file of an earlier run ({why})")
    if len(runs) < len(names):
        return EX_USAGE
    print(page.page(runs), end="")
    return 0


def _command() -> str:
    """The command as it was typed, but without the folders of the user's own files."""
    words = sys.argv[1:]
    shown = [
        Path(word).name if place and words[place - 1] in ("--kubeconfig", "--report", "--module") else word
        for place, word in enumerate(words)
    ]
    return f"./build.sh e2e {shlex.join(shown)}"


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
