"""The command `exeunt-airflow check`: what the hook does here with a pod, without making one."""

import argparse
import contextlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exeunt_airflow import hook, provider_info
from exeunt_airflow.log import log
from exeunt_airflow.settings import SECTION, InvalidSettings, Settings, read, source
from exeunt_airflow.unchanged import Unchanged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kubernetes.client import V1Pod

_OK, _WRONG = 0, 1
_DESCRIPTION = """\
Prints the mistakes in the section [exeunt], the settings that are not at their defaults, and the pod of FILE as the hook would
change it, or why it would not. Nothing is created. The hook asks the API server for its version, as always.

Without FILE it takes the template of KubernetesExecutor. If there is none, it takes the pod of a KubernetesPodOperator without a
template."""
_EPILOG = """\
exit code: 0 if the pod gets an agent, and nothing is wrong; 1 otherwise; 2 for a mistake in the command

examples:
  exeunt-airflow check
  exeunt-airflow check --operator pod-template.yaml
  kubectl get pod POD -o yaml | exeunt-airflow check -"""
# What stands for the arguments of an operator.
_IMAGE = "IMAGE-OF-THE-OPERATOR"
_PLAIN = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "base"}]}}


def main(words: "Sequence[str] | None" = None) -> int:
    """Prints the mistakes in the settings and the pod with its agent, or why it gets none. 0 only if nothing is wrong."""
    parser = argparse.ArgumentParser(prog="exeunt-airflow", description="Shows what exeunt does with the pods of Airflow.")
    command = parser.add_subparsers(required=True, metavar="check").add_parser(
        "check",
        help="print the mistakes in [exeunt], and what the hook makes of a pod",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", nargs="?", metavar="FILE", help="a pod or a pod template as YAML; - for the standard input")
    command.add_argument(
        "--operator",
        action="store_true",
        help="complete the pod as KubernetesPodOperator does: restartPolicy Never, and an image from its argument",
    )
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
    return max(_WRONG if mistakes else _OK, _print_pod(asked.file or _template(), settings, by_operator=asked.operator))


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


def _print_pod(file: str, settings: Settings, *, by_operator: bool) -> int:
    try:
        pod = _pod(_read(file) if file else _PLAIN, by_operator=by_operator or not file)
    except Exception as problem:  # noqa: BLE001 - whatever is wrong with a file of the user's
        print(f"{file} cannot be read as a pod: {problem}", file=sys.stderr)
        return _WRONG
    try:
        with _log_on_stderr():
            hook.add_agent(pod, settings)
    except Unchanged as reason:
        print(f"exeunt leaves this pod unchanged: {reason}", file=sys.stderr)
        return _WRONG
    print(f"# The pod with its agent, from {file or 'no template'}:")
    import yaml
    from kubernetes.client import ApiClient

    print(yaml.safe_dump(ApiClient().sanitize_for_serialization(pod), sort_keys=False), end="")
    return _OK


@contextlib.contextmanager
def _log_on_stderr() -> "Iterator[None]":
    """Airflow writes logs to stdout, where the pod is to be."""
    handler = logging.StreamHandler(sys.stderr)
    log.addHandler(handler)
    log.propagate = False
    try:
        yield
    finally:
        log.propagate = True
        log.removeHandler(handler)


def _read(file: str) -> Any:
    import yaml

    return yaml.safe_load(sys.stdin.read() if file == "-" else Path(file).read_text())


def _pod(document: Any, *, by_operator: bool) -> "V1Pod":
    """The pod of a document, and what Airflow adds to it before the hook gets it."""
    from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator

    if not isinstance(document, dict) or not isinstance(spec := document.get("spec"), dict):
        raise ValueError("it is no pod: must be one YAML document with a spec")
    if (kind := document.get("kind", "Pod")) != "Pod":
        raise ValueError(f"its kind is {kind}: must be Pod")
    if by_operator:
        containers = [{"image": _IMAGE} | one for one in spec.get("containers") or [{"name": "base"}]]
        document = document | {"spec": spec | {"restartPolicy": "Never", "containers": containers}}
    return PodGenerator.deserialize_model_dict({"metadata": {}} | document)


if __name__ == "__main__":
    sys.exit(main())
