"""Reads the command line. All mistakes are reported at once, which argparse cannot do: it stops at the first one."""

import fnmatch
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .options import AIRFLOW, ALL, ENGINES, INJECTED, MAX_LOAD, MAX_PARALLEL, MODULE_URL, SOURCES, WAYS, Options

_KINDS = {option.flag: option.kind for option in ALL}
_PUSH = "./build.sh image --push REGISTRY/PREFIX pushes it, and prints the value"
_IMAGE_FORM = "an image such as REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:…, without a scheme"
_URL = re.compile(r"(oci|https?)://[^\s/]+/\S+")
# A DNS label (RFC 1123), with room for the suffixes of further namespaces.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?")
# The reference of an image (distribution/reference), in short: no scheme, no spaces.
_IMAGE = re.compile(r"(?!.*//)[a-z0-9][a-zA-Z0-9._:/-]*(@sha256:[0-9a-f]{64})?")
_LABEL_VALUE = re.compile(r"[a-zA-Z0-9]([-._a-zA-Z0-9]{0,61}[a-zA-Z0-9])?")


class Mistakes(Exception):
    """The mistakes in a command line, one line each."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(*lines)
        self.lines = lines


def read(words: list[str], scenarios: list[str], environment: dict[str, str]) -> Options:
    """Reads the command line, or raises `Mistakes` with all of them."""
    given, mistakes = _split(words)
    options = Options()
    options.keep, options.listing, options.help = ("--keep" in given, "--list" in given, "--help" in given)
    asked, options.render = given.get("--only", []), given.get("--render", [])
    options.airflow = "--airflow" in given
    # Ordinary Jobs and tasks of Airflow have scenarios of their own.
    for flag, beginning in (("--inject", INJECTED), ("--airflow", AIRFLOW)):
        scenarios = [name for name in scenarios if name.startswith(beginning) == (flag in given)]
    options.only = [name for pattern in asked for name in fnmatch.filter(scenarios, pattern)]
    options.engines = given.get("--engines", [])
    for flag, values in given.items():
        if _KINDS[flag] == "value" and values:
            mistakes += _set(options, flag, values[0])
    mistakes += [
        _wrong("--only", name, f"one of {', '.join(scenarios)}") for name in asked if not fnmatch.filter(scenarios, name)
    ]
    mistakes += [_wrong("--engines", name, f"one of {', '.join(ENGINES)}") for name in options.engines if name not in ENGINES]
    mistakes += [
        _wrong("--render", name, "the e2e.json file of an earlier run") for name in options.render if not Path(name).is_file()
    ]
    if not (options.listing or options.help or options.render):
        mistakes += _missing(options, given, environment)
    if mistakes:
        raise Mistakes(mistakes)
    return options


def _split(words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """The values of each option, and the mistakes in the form of the command line."""
    given: dict[str, list[str]] = {}
    mistakes: list[str] = []
    left = list(words)
    while left:
        flag, equals, value = left.pop(0).partition("=")
        if flag == "-h":
            flag = "--help"
        if flag not in _KINDS:
            mistakes.append(f"{flag} is not a known option: must be one of {', '.join(_KINDS)}")
            continue
        if flag in given and _KINDS[flag] != "list":
            mistakes.append(f"{flag} is given twice")
        values = given.setdefault(flag, [])
        if _KINDS[flag] == "switch":
            if equals:
                mistakes.append(f"{flag}={value} is not allowed: it takes no value")
            continue
        most = len(left) if _KINDS[flag] == "list" else 1
        if equals:
            values.append(value)
        while not equals and most > 0 and left and not left[0].startswith("--"):
            values.append(left.pop(0))
            most -= 1
        if not any(values):
            mistakes.append(f"{flag} needs a value")
    return given, mistakes


def _wrong(flag: str, value: str, allowed: str) -> str:
    return f"{flag} {value} is not allowed: must be {allowed}"


def _is_whole(most: int, value: str) -> bool:
    return value.isascii() and value.isdigit() and 1 <= int(value) <= most


def _is_report_folder(value: str) -> bool:
    path = Path(value)
    return path.absolute().parent.is_dir() and not path.is_file()


# For each option with a value: whether a value is allowed, and what is allowed.
_CHECKS: dict[str, tuple[Callable[[str], object], str]] = {
    "--kubeconfig": (lambda value: Path(value).is_file(), "a file that exists"),
    "--plugin-url": (_URL.fullmatch, "an address such as oci://REGISTRY/exeunt@sha256:… or http://HOST/exeunt.wasm"),
    "--agent-image": (_IMAGE.fullmatch, _IMAGE_FORM),
    "--task-image": (_IMAGE.fullmatch, _IMAGE_FORM),
    "--namespace": (_NAME.fullmatch, "at most 50 small letters, digits and dashes, with a letter or digit at both ends"),
    "--revision": (
        _LABEL_VALUE.fullmatch,
        "at most 63 letters, digits, dots, dashes and underscores, as a label's value",
    ),
    "--install": (lambda value: value in ("manifests", "chart"), "manifests or chart"),
    "--inject": (WAYS.__contains__, "istio, policy or kyverno"),
    "--source": (SOURCES.__contains__, "oci, configMap or imageVolume"),
    "--module": (lambda value: Path(value).is_file(), "a file that exists"),
    "--parallel": (partial(_is_whole, MAX_PARALLEL), f"a whole number from 1 to {MAX_PARALLEL}"),
    "--load": (partial(_is_whole, MAX_LOAD), f"a whole number from 1 to {MAX_LOAD}"),
    "--report": (_is_report_folder, "a folder, or a new folder in one that exists"),
}


def _set(options: Options, flag: str, value: str) -> list[str]:
    """Sets the option; returns its mistake, if there is one."""
    is_allowed, allowed = _CHECKS[flag]
    if not is_allowed(value):
        return [_wrong(flag, value, allowed)]
    match flag:
        case "--kubeconfig" | "--report" | "--module":
            setattr(options, flag.removeprefix("--"), Path(value))
        case "--parallel" | "--load":
            setattr(options, flag.removeprefix("--"), int(value))
        case _:
            setattr(options, flag.removeprefix("--").replace("-", "_"), value)
    return []


def _missing(options: Options, given: dict[str, list[str]], environment: dict[str, str]) -> list[str]:
    """What a run on a cluster needs and does not have."""
    lines = []
    if "--kubeconfig" not in given:
        lines += _kubeconfig_from(environment.get("KUBECONFIG", ""), options)
    lines += _wrong_source(options, given)
    suites = [f"--{name}" for name in ("airflow", "inject", "engines") if getattr(options, name)]
    if len(suites) > 1:
        lines.append(f"{' and '.join(suites)} are not allowed together: each has scenarios of its own")
    if "--agent-image" not in given:
        lines.append(f"--agent-image is missing: the agent's image, as the cluster's nodes pull it. {_PUSH}")
    return lines


def _wrong_source(options: Options, given: dict[str, list[str]]) -> list[str]:
    """What is wrong with where proxies have the filter from; one that is mounted gets the address of its file."""
    what = f"--source {options.source}"
    lines = []
    if options.source == "configMap" and options.module is None:
        lines.append("--module is missing: the filter's file, such as target/exeunt.wasm")
    if options.source != "configMap" and options.module is not None:
        lines.append(f"--module is not allowed with {what}: only a ConfigMap is made of it")
    if options.source != "oci":
        options.plugin_url = MODULE_URL
        return [*lines, *_wrong_file(options, given, what)]
    if "--plugin-url" not in given:
        lines.append(f"--plugin-url is missing: the address from which the cluster's proxies load the filter. {_PUSH}")
    if options.install == "chart" and options.plugin_url and not options.plugin_url.startswith("oci://"):
        lines.append(f"--plugin-url {options.plugin_url} is not allowed with --install chart: must be oci://REGISTRY/NAME…")
    return lines


def _wrong_file(options: Options, given: dict[str, list[str]], what: str) -> list[str]:
    """What cannot be together with a filter that proxies load from a file."""
    lines = []
    if not options.inject:
        lines.append(f"{what} is not allowed without --inject: only injected Jobs get the filter's file")
    if options.install == "chart":
        lines.append(f"{what} is not allowed with --install chart: must be oci")
    if "--plugin-url" in given:
        lines.append(f"--plugin-url is not allowed with {what}: proxies load the filter from a file")
    return lines


def _kubeconfig_from(variable: str, options: Options) -> list[str]:
    if not variable:
        return ["--kubeconfig is missing: the file with the cluster's address and credentials; or set $KUBECONFIG"]
    options.kubeconfig = Path(variable)
    if options.kubeconfig.is_file():
        return []
    return [f"$KUBECONFIG={variable} is not allowed: must be one file that exists; or use --kubeconfig FILE"]
