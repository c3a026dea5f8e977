"""Pods before and after the hook, in vectors/. `--write` writes the pods after it again. vectors/README.md explains the files."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import yaml
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import ApiClient, V1Pod

from exeunt_airflow.form import Form
from exeunt_airflow.mutation import mutation_of
from exeunt_airflow.proxy_config import ANNOTATION
from exeunt_airflow.settings import Settings
from exeunt_airflow.unchanged import NeedsAttention, NotApplicable

FOLDER = Path(__file__).resolve().parent / "vectors"
SETTINGS = Settings(image="registry.example/exeunt-agent:test")
UNLESS_ROOT = replace(SETTINGS, share_processes="unless-root")
NATIVE, CLASSIC, REGULAR = Form("native", "native"), Form("classic", "native"), Form("classic", "regular")
FORMS = {"native": NATIVE, "classic": CLASSIC, "regular": REGULAR}
SUFFIXES = {name: ".out.yaml" if name == "native" else f".{name}.out.yaml" for name in FORMS}
NAMES = sorted(path.name.removesuffix(".in.yaml") for path in FOLDER.glob("*.in.yaml"))

Json = Any
Reason = Literal["not-applicable", "needs-attention"]


class _Dumper(yaml.SafeDumper):
    """Writes YAML that yamllint accepts: with indented lists, and without anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indents a list in a mapping."""
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Repeats equal parts instead of using an anchor."""
        return True


def pod(name: str) -> V1Pod:
    """The pod before the hook, as Airflow reads a pod."""
    return PodGenerator.deserialize_model_dict(load(f"{name}.in.yaml"))


def load(file: str) -> Json:
    """The content of a file in the folder."""
    return yaml.safe_load((FOLDER / file).read_text())


def plain(pod: V1Pod) -> Json:
    """The pod as Airflow sends it to the API server."""
    return ApiClient().sanitize_for_serialization(pod)


def comparable(document: Json) -> Json:
    """The same pod with the proxy's configuration as YAML instead of text."""
    annotations = document["metadata"].get("annotations")
    if annotations and ANNOTATION in annotations:
        annotations[ANNOTATION] = yaml.safe_load(annotations[ANNOTATION])
    return document


def with_agent(name: str, form: str, settings: Settings = SETTINGS) -> V1Pod:
    """The pod after the hook. Raises `Unchanged` if it gets no agent."""
    changed = pod(name)
    mutation_of(changed, settings, lambda _: FORMS[form]).apply(changed)
    return changed


def outcome(name: str, form: str, settings: Settings = SETTINGS) -> Json | Reason:
    """The pod after the hook, or the reason why it stays unchanged."""
    try:
        return plain(with_agent(name, form, settings))
    except NotApplicable:
        return "not-applicable"
    except NeedsAttention:
        return "needs-attention"


def write() -> None:
    """Writes every outcome."""
    for old in FOLDER.glob("*.out.yaml"):
        old.unlink()
    unchanged: dict[str, dict[str, str]] = {form: {} for form in FORMS}
    for name in NAMES:
        for form, suffix in SUFFIXES.items():
            result = outcome(name, form)
            if isinstance(result, str):
                unchanged[form][name] = result
            else:
                (FOLDER / f"{name}{suffix}").write_text(_dumped(result))
    (FOLDER / "unchanged.yaml").write_text(_dumped(unchanged))
    (FOLDER / "unless-root.yaml").write_text(_dumped(unchanged_unless_root()))


def unchanged_unless_root() -> list[str]:
    """The pods that get an agent in the classic form, but none if pods with a task of root may not share their processes."""
    return [name for name in NAMES if outcome(name, "classic", UNLESS_ROOT) != outcome(name, "classic")]


def _dumped(document: Json) -> str:
    text: str = yaml.dump(document, Dumper=_Dumper, width=120, allow_unicode=True)
    return text


def main() -> None:
    """Writes every outcome if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True, help="write every outcome")
    parser.parse_args()
    logging.disable()
    write()


if __name__ == "__main__":
    main()
