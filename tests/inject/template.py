"""The injection template, with other options."""

import re

from inject.write import TEMPLATE

IMAGE = "registry.example/exeunt-agent:test"


def with_options(**options: str) -> str:
    """The template with the image of the vectors, and with options of another value, each as it is written in the template."""
    text = TEMPLATE.read_text()
    options = {"image": f'"{IMAGE}"'} | options
    for name, value in options.items():
        found = re.findall(rf"(?m)^{re.escape('{{- $' + name + ' := ')}.*$", text)
        assert len(found) == 1, f"the template has no option {name}"
        text = text.replace(found[0], f"{{{{- ${name} := {value} }}}}")
    return text
