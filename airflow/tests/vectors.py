"""The golden pods in vectors/; `--write` makes their outcomes anew. What the files mean: vectors/README.md."""

import argparse
import logging
import sys
from pathlib import Path
from typing import Any, Literal

import yaml
from airflow.providers.cncf.kubernetes.pod_generator import PodGenerator
from kubernetes.client import ApiClient, V1Pod

from exeunt_airflow.amend import amend
from exeunt_airflow.proxy_config import ANNOTATION
from exeunt_airflow.reasons import InDoubt, NotConcerned
from exeunt_airflow.settings import Settings

FOLDER = Path(__file__).resolve().parent / "vectors"
SETTINGS = Settings(image="registry.example/exeunt-agent:test")
SUFFIXES = {"native": ".out.yaml", "regular": ".regular.out.yaml"}
NAMES = sorted(path.name.removesuffix(".in.yaml") for path in FOLDER.glob("*.in.yaml"))

Placement = Literal["native", "regular"]
Json = Any


class _Dumper(yaml.SafeDumper):
    """Lists as yamllint wants them, and no anchors."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        """Indents a list within a mapping."""
        super().increase_indent(flow, indentless=False)

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        """Writes everything out."""
        return True


def pod(name: str) -> V1Pod:
    """The pod that comes in, as Airflow reads one."""
    return PodGenerator.deserialize_model_dict(load(f"{name}.in.yaml"))


def load(file: str) -> Json:
    """A file of the folder."""
    return yaml.safe_load((FOLDER / file).read_text())


def plain(pod: V1Pod) -> Json:
    """What goes to the API server."""
    return ApiClient().sanitize_for_serialization(pod)


def comparable(document: Json) -> Json:
    """The same with the proxy's configuration as YAML instead of text."""
    annotations = document["metadata"].get("annotations")
    if annotations and ANNOTATION in annotations:
        annotations[ANNOTATION] = yaml.safe_load(annotations[ANNOTATION])
    return document


def outcome(name: str, placement: Placement) -> Json:
    """The pod with its agent, or the word for why it stays as it is."""
    one = pod(name)
    try:
        amend(one, SETTINGS, lambda _: placement).apply(one)
    except NotConcerned:
        return "not-concerned"
    except InDoubt:
        return "in-doubt"
    return plain(one)


def write() -> None:
    """Every outcome anew."""
    for old in FOLDER.glob("*.out.yaml"):
        old.unlink()
    untouched = {}
    for name in NAMES:
        for placement, suffix in SUFFIXES.items():
            result = outcome(name, placement)  # type: ignore[arg-type]
            if isinstance(result, str):
                untouched[name] = result
            else:
                (FOLDER / f"{name}{suffix}").write_text(dumped(result))
    (FOLDER / "untouched.yaml").write_text(dumped(untouched))


def dumped(document: Json) -> str:
    """As the files have it."""
    text: str = yaml.dump(document, Dumper=_Dumper, width=120, allow_unicode=True)
    return text


if __name__ == "__main__":
    logging.disable()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", required=True)
    parser.parse_args()
    write()
    sys.exit()
