"""The command line: every mistake is named at once."""

import re
from dataclasses import dataclass, field
from pathlib import Path

USAGE = """\
usage: ./build.sh e2e --kubeconfig FILE --plugin-url URL --agent-image IMAGE [OPTION]...

Plays exeunt's scenarios on a cluster that has Istio: in a namespace of its own, with live-injected Jobs and pods, and cleans up.

  --kubeconfig FILE     which cluster, by the file's current context ($KUBECONFIG)
  --plugin-url URL      where the cluster's proxies get the filter: oci://, http:// or https://
  --agent-image IMAGE   the agent's image, as the cluster's nodes pull it
  --task-image IMAGE    any image with python3 and true, for tasks and the receiver (docker.io/library/python:3.13-alpine)
  --namespace NAME      the namespace to make and delete (exeunt-e2e and five random letters)
  --revision NAME       the label istio.io/rev=NAME in place of istio-injection=enabled
  --install HOW         manifests: wasmplugin.yaml and deploy/serviceentry.yaml; chart: deploy/chart, needs helm (manifests)
  --only SCENARIO...    these alone, by their names in --list
  --parallel N          how many at a time, 1 to 32 (4)
  --keep                leave the namespace and what ran in it
  --report DIR          write e2e.json, e2e.xml (JUnit) and report.md there
  --list                name the scenarios, and do nothing
  --render FILE...      no cluster: the report of earlier runs, by their e2e.json, on stdout
  --help                this text

Neither image is published yet: ./build.sh image --push REGISTRY/PREFIX pushes both, and prints what to give here.
"""

_VALUES = (
    "--kubeconfig",
    "--plugin-url",
    "--agent-image",
    "--task-image",
    "--namespace",
    "--revision",
    "--install",
    "--parallel",
    "--report",
)
_LISTS = ("--only", "--render")
_SWITCHES = ("--keep", "--list", "--help")
_PUSH = "./build.sh image --push REGISTRY/PREFIX pushes it, and prints what to give here"
# A DNS label (RFC 1123), short enough for what is appended to it.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?")
# What the reference of an image may look like (distribution/reference): no scheme, no spaces.
_IMAGE = re.compile(r"(?!.*//)[a-z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?")
_MOST_PARALLEL = 32


class Mistakes(Exception):
    """What is wrong with a command line."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(*lines)
        self.lines = lines


@dataclass
class Options:
    """A command line without mistakes."""

    kubeconfig: Path = Path()
    plugin_url: str = ""
    agent_image: str = ""
    task_image: str = "docker.io/library/python:3.13-alpine"
    namespace: str = ""
    revision: str = ""
    install: str = "manifests"
    parallel: int = 4
    report: Path | None = None
    keep: bool = False
    listing: bool = False
    help: bool = False
    only: list[str] = field(default_factory=list)
    render: list[str] = field(default_factory=list)


def read(words: list[str], scenarios: list[str], environment: dict[str, str]) -> Options:
    """Reads the command line, or raises all of its `Mistakes`."""
    given, mistakes = _split(words)
    options = Options()
    options.keep, options.listing, options.help = ("--keep" in given, "--list" in given, "--help" in given)
    options.only, options.render = given.get("--only", []), given.get("--render", [])
    values = {flag: value[0] for flag, value in given.items() if flag in _VALUES and value}
    for flag, value in values.items():
        mistakes += _set(options, flag, value)
    mistakes += [
        f"--only {name} is not allowed: must be one of {', '.join(scenarios)}" for name in options.only if name not in scenarios
    ]
    mistakes += [f"--render {name}: no such file" for name in options.render if not Path(name).is_file()]
    if not (options.listing or options.help or options.render):
        mistakes += _missing(options, given, environment)
    if mistakes:
        raise Mistakes(mistakes)
    return options


def _split(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """What was given to which flag, and what is none."""
    given: dict[str, list[str]] = {}
    mistakes: list[str] = []
    left = list(words)
    while left:
        flag, equals, value = left.pop(0).partition("=")
        if flag == "-h":
            flag = "--help"
        if flag not in (*_VALUES, *_LISTS, *_SWITCHES):
            mistakes.append(f"{flag} is not a known option: must be one of {', '.join((*_VALUES, *_LISTS, *_SWITCHES))}")
            continue
        if flag in given and flag not in _LISTS:
            mistakes.append(f"{flag} is given twice")
        values = given.setdefault(flag, [])
        if flag in _SWITCHES:
            if equals:
                mistakes.append(f"{flag}={value} is not allowed: it takes no value")
            continue
        most = len(left) if flag in _LISTS else 1
        if equals:
            values.append(value)
        while not equals and most > 0 and left and not left[0].startswith("--"):
            values.append(left.pop(0))
            most -= 1
        if not any(values):
            mistakes.append(f"{flag} needs a value")
    return given, mistakes


def _set(options: Options, flag: str, value: str) -> list[str]:
    wrong = f"{flag} {value} is not allowed: must be"
    match flag:
        case "--kubeconfig":
            options.kubeconfig = Path(value)
        case "--plugin-url":
            options.plugin_url = value
            if not re.fullmatch(r"(oci|https?)://[^\s/]+/\S+", value):
                return [f"{wrong} an address such as oci://REGISTRY/exeunt@sha256:… or http://HOST/exeunt.wasm"]
        case "--agent-image" | "--task-image":
            setattr(options, flag.strip("-").replace("-", "_"), value)
            if not _IMAGE.fullmatch(value):
                return [f"{wrong} an image such as REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…, without a scheme"]
        case "--namespace":
            options.namespace = value
            if not _NAME.fullmatch(value):
                return [f"{wrong} at most 50 small letters, digits and dashes between them"]
        case "--revision":
            options.revision = value
            if not re.fullmatch(r"[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?", value):
                return [f"{wrong} the value of a label"]
        case "--install":
            options.install = value
            if value not in ("manifests", "chart"):
                return [f"{wrong} manifests or chart"]
        case "--parallel":
            whole = value.isascii() and value.isdigit() and 1 <= int(value) <= _MOST_PARALLEL
            options.parallel = int(value) if whole else options.parallel
            if not whole:
                return [f"{wrong} a whole number from 1 to {_MOST_PARALLEL}"]
        case "--report":
            options.report = Path(value)
            if not options.report.absolute().parent.is_dir() or options.report.is_file():
                return [f"{wrong} a folder, or a new one in a folder that exists"]
    return []


def _missing(options: Options, given: dict[str, list[str]], environment: dict[str, str]) -> list[str]:
    """What a run on a cluster cannot do without."""
    lines = []
    if "--kubeconfig" not in given:
        fallback = environment.get("KUBECONFIG", "")
        options.kubeconfig = Path(fallback)
        if not fallback:
            lines.append("--kubeconfig is missing, and $KUBECONFIG is not set: which cluster?")
    if options.kubeconfig != Path() and not options.kubeconfig.is_file():
        lines.append(f"--kubeconfig {options.kubeconfig} is not allowed: must be a file that exists")
    if "--plugin-url" not in given:
        lines.append(f"--plugin-url is missing: where do the cluster's proxies get the filter? {_PUSH}")
    if options.install == "chart" and options.plugin_url and not options.plugin_url.startswith("oci://"):
        lines.append(f"--plugin-url {options.plugin_url} is not allowed with --install chart: must be oci://, as the chart's are")
    if "--agent-image" not in given:
        lines.append(f"--agent-image is missing: where do the cluster's nodes get the agent? {_PUSH}")
    return lines
