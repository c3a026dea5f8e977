"""The options of the agent are documented as its help prints them."""

import re
import subprocess
from collections import defaultdict

from harness import paths

COMMANDS = ("watch", "exec", "wait", "complete")


def helped() -> dict[str, tuple[set[str], str]]:
    """Every option with its value in the help: the commands that have it, and its default."""
    found: dict[str, tuple[set[str], str]] = defaultdict(lambda: (set(), ""))
    for command in COMMANDS:
        text = subprocess.run([paths.agent(), command, "--help"], capture_output=True, text=True, timeout=30, check=True).stdout
        for entry in re.findall(r"^  --(?!help)(?:.+\n(?: {30}.+\n)*)", text, re.MULTILINE):
            words = " ".join(entry.split())
            option, _, rest = words.partition(" ")
            value = "" if option == "--explain" else f" {rest.split()[0].removesuffix('...')}"
            default = re.search(r" \[(\S+)\]$", words)
            commands, _ = found[option + value]
            found[option + value] = (commands | {command}, default[1] if default else "")
    return dict(found)


def documented() -> dict[str, tuple[set[str], str]]:
    """The same from the table in the guide."""
    section = (paths.ROOT / "docs" / "agent.md").read_text().partition("\n## Options\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(--.+?)` \| (.+?) \|(.*?)\|", section, re.MULTILINE)
    found = {}
    for option, commands, default in rows:
        named = set(COMMANDS) if commands == "all" else set(re.findall(r"\w+", commands))
        found[option.replace("\\|", "|")] = (named, default.strip(" `"))
    return found


def test_the_guide_lists_the_options_of_the_help() -> None:
    assert len(helped()) > 20
    assert documented() == helped()
