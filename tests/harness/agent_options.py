"""The options of the agent, as its help prints them."""

import re
import subprocess
from dataclasses import dataclass, field

from .paths import agent

COMMANDS = ("watch", "exec", "wait", "complete")


@dataclass
class Option:
    """The commands that have an option, and its default: empty if it has none."""

    commands: set[str] = field(default_factory=set)
    default: str = ""


def helped() -> dict[str, Option]:
    """Every option by its name and the name of its value, such as `--drain-timeout DURATION`."""
    found: dict[str, Option] = {}
    for command in COMMANDS:
        text = subprocess.run([agent(), command, "--help"], capture_output=True, text=True, timeout=30, check=True).stdout
        # An entry may continue on lines that begin in its column.
        for entry in re.findall(r"^  --(?!help,)(?:.+\n(?: {30}.+\n)*)", text, re.MULTILINE):
            words = " ".join(entry.split())
            # A value stands one space behind its option, and the text of an option without a value stands in its column.
            name, value = re.findall(r"^  (--[a-z-]+)( [^ \n]+)?", entry)[0]
            value = value.removesuffix("...")
            default = re.search(r" \[(\S+)\]$", words)
            option = found.setdefault(name + value, Option(default=default[1] if default else ""))
            option.commands.add(command)
    return found
