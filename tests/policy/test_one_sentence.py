"""A mistake has one name and one sentence: kubectl prints the same when it is applied and when `kubectl exeunt` finds it."""

import re

import pytest
import yaml

from chart.programs import ROOT
from policy.warned import sentences

RULES = ROOT / "cli" / "src" / "rules" / "rules.yaml"


@pytest.mark.skipif(not RULES.is_file(), reason="this checkout has no kubectl exeunt")
def test_the_rules_are_those_of_kubectl_exeunt() -> None:
    theirs = {one["id"]: (_plain(one["sentence"]), _plain(one["remedy"])) for one in yaml.safe_load(RULES.read_text())}
    ours = {name: (_plain(sentence), _plain(remedy)) for name, (sentence, remedy) in sentences().items()}
    assert {name: theirs.get(name) for name in ours} == ours


def _plain(text: str) -> str:
    """The text without the names of what stands in it."""
    return re.sub(r"\{\w*}", "{}", text.strip())
