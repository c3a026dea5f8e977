"""The recipes of docs/namespaces-with-rules.md."""

from dataclasses import dataclass
from typing import Any

import yaml

from documents.pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "namespaces-with-rules.md"
_PARTS = ("rule", "message", "resources", "settings")


@dataclass(frozen=True)
class Recipe:
    """A rule, what the API server says of an agent with its defaults, and the remedy."""

    rule: Any
    message: str
    resources: Any
    settings: dict[str, str]


def recipes() -> list[Recipe]:
    """Those of the page. Each begins with a rule."""
    found: list[list[Block]] = []
    for block in blocks(PAGE):
        if block.language == "yaml" and "\nkind:" in block.text and "patches:" not in block.text:
            found.append([])
        if found and len(found[-1]) < len(_PARTS):
            found[-1].append(block)
    return [
        Recipe(
            yaml.safe_load(rule.text),
            message.text.strip(),
            yaml.safe_load(resources.text),
            {name: str(value) for name, value in yaml.safe_load(settings.text)["config"]["exeunt"].items()},
        )
        for rule, message, resources, settings in found
    ]
