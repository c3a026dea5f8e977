"""The command `exeunt-airflow check`: what the hook does here with a pod, without making one."""

import argparse
import sys
from typing import TYPE_CHECKING

from exeunt_airflow import hook, provider_info
from exeunt_airflow.settings import SECTION, InvalidSettings, Settings, read, source
from exeunt_airflow.unchanged import Unchanged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubernetes.client import V1Pod

_OK, _WRONG = 0, 1


def main(words: "Sequence[str] | None" = None) -> int:
    """Prints the mistakes in the settings and the pod with its agent, or why it gets none. 0 only if nothing is wrong."""
    parser = argparse.ArgumentParser(prog="exeunt-airflow")
    command = parser.add_subparsers(required=True).add_parser(
        "check",
        help="print the mistakes in [exeunt], and what the hook makes of a pod",
        description="Prints the mistakes in the section [exeunt], and the pod of a file as the hook would change it, or why it "
        "would not. Nothing is created. The hook asks the API server for its version, as always.",
    )
    command.add_argument("file", nargs="?", help="a pod or a pod template; default: [kubernetes_executor] pod_template_file")
    asked = parser.parse_args(words)
    try:
        settings, mistakes = read(source())
    except InvalidSettings as invalid:
        _print_each(invalid.mistakes)
        print(f"exeunt is off until the mistakes in [{SECTION}] are corrected: pods stay unchanged", file=sys.stderr)
        return _WRONG
    _print_each(mistakes)
    _print_changed(settings)
    if not settings.enabled:
        print(f"[{SECTION}] enabled is false: pods stay unchanged", file=sys.stderr)
        return _WRONG
    return max(_WRONG if mistakes else _OK, _print_pod(asked.file or _template(), settings))


def _template() -> str:
    from airflow.configuration import conf

    return str(conf.get("kubernetes_executor", "pod_template_file", fallback=""))


def _print_each(mistakes: list[str]) -> None:
    for mistake in mistakes:
        print(mistake, file=sys.stderr)


def _print_changed(settings: Settings) -> None:
    """The settings that are not at their defaults."""
    for name, default in vars(Settings()).items():
        if getattr(settings, name) != default:
            print(f"# [{SECTION}] {name}: {getattr(settings, name)!r} (default: {provider_info.as_text(default) or 'empty'})")


def _print_pod(file: str, settings: Settings) -> int:
    if not file:
        print("no pod: name a file, or set [kubernetes_executor] pod_template_file", file=sys.stderr)
        return _WRONG
    try:
        pod = _read(file)
    except Exception as problem:  # noqa: BLE001 - whatever is wrong with a file of the user's
        print(f"{file} cannot be read as a pod: {problem}", file=sys.stderr)
        return _WRONG
    try:
        hook.add_agent(pod, settings)
    except Unchanged as reason:
        print(f"exeunt leaves this pod unchanged: {reason}", file=sys.stderr)
        return _WRONG
    import yaml
    from kubernetes.client import ApiClient

    print(yaml.safe_dump(ApiClient().sanitize_for_serialization(pod), sort_keys=False), end="")
    return _OK


def _read(file: str) -> "V1Pod":
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    return PodGenerator.deserialize_model_file(file)


if __name__ == "__main__":
    sys.exit(main())
