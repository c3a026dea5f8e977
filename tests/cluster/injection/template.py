"""The injection template of deploy/istio with the options of a run, and for its namespaces alone."""

import re
from pathlib import Path

from ..errors import RunError

_FILE = Path(__file__).resolve().parents[3] / "deploy" / "istio" / "template.tpl"
_MARK = "./build.sh e2e, namespace"


def for_namespaces(namespace: str, images: dict[str, str], options: dict[str, str]) -> str:
    """The template for a run's namespace and its further ones; those that `images` names get another image of the agent."""
    image = f'"{options["image"]}"'
    for other, its in images.items():
        image = f'(ternary "{its}" {image} (eq .ObjectMeta.Namespace "{other}"))'
    written = {name: f'"{value}"' for name, value in options.items()} | {"image": image}
    text = with_options(_FILE.read_text(), written)
    head = f"{{{{- /* {_MARK} {namespace} */}}}}"
    # With a dash at both ends, so that `run` is not a part of `runner`.
    condition = f'{{{{- if hasPrefix "{namespace}-" (printf "%s-" .ObjectMeta.Namespace) }}}}'
    return f"{head}\n{condition}\n{text}{{{{- end }}}}\n"


def run_of(template: str) -> str:
    """The namespace of the run that has made a template; empty if none has."""
    found = re.search(rf"{re.escape(_MARK)} (\S+) ", template)
    return found[1] if found else ""


def with_options(text: str, options: dict[str, str]) -> str:
    """The template with options of another value, each as it is written in the template."""
    for name, value in options.items():
        line = re.compile(rf"(?m)^\{{\{{- \${name} := .*\}}\}}$")
        if len(line.findall(text)) != 1:
            raise RunError(f"{_FILE.name} has no option {name}")
        text = line.sub(lambda _, name=name, value=value: f"{{{{- ${name} := {value} }}}}", text)  # type: ignore[misc]
    return text
