"""The injection template, with other options."""

import re
from pathlib import Path

import yaml

from inject.write import TEMPLATE

IMAGE = "registry.example/exeunt-agent:test"


def with_options(**options: str) -> str:
    """The template with options of another value, each as it is written in the template."""
    text = TEMPLATE.read_text()
    for name, value in options.items():
        found = re.findall(rf"(?m)^{re.escape('{{- $' + name + ' := ')}.*$", text)
        assert len(found) == 1, f"the template has no option {name}"
        text = text.replace(found[0], f"{{{{- ${name} := {value} }}}}")
    return text


def values_of(text: str) -> str:
    """The values of istiod's chart with this template."""
    return yaml.safe_dump({"sidecarInjectorWebhook": {"defaultTemplates": ["sidecar", "exeunt"], "templates": {"exeunt": text}}})


def write_values(folder: Path, **options: str) -> Path:
    """A file of values with the template, the image of the vectors, and these options."""
    path = folder / "values.yaml"
    path.write_text(values_of(with_options(**({"image": f'"{IMAGE}"'} | options))))
    return path
