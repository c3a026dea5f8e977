"""The guide of the agent documents the options that its help prints."""

import re

from harness.agent_options import COMMANDS, Option, helped
from harness.paths import ROOT


def documented() -> dict[str, Option]:
    """The options in the table of the guide."""
    section = (ROOT / "docs" / "agent.md").read_text().partition("\n## Options\n")[2].partition("\n## ")[0]
    found = {}
    for name, commands, default in re.findall(r"^\| `(--.+?)` \| (.+?) \|(.*?)\|", section, re.MULTILINE):
        named = set(COMMANDS) if commands == "all" else set(re.findall(r"\w+", commands))
        found[name.replace("\\|", "|")] = Option(named, default.strip(" `"))
    return found


def test_the_guide_lists_the_options_of_the_help() -> None:
    assert len(helped()) > 20
    assert documented() == helped()
