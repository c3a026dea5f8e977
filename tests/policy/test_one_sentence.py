"""A mistake has one name and one sentence: kubectl prints the same when it is applied and when `kubectl exeunt` finds it."""

import yaml

from chart.programs import ROOT
from policy.warned import sentences

RULES = ROOT / "cli" / "src" / "rules" / "rules.yaml"


def test_a_rule_of_the_policy_is_one_of_the_command_with_the_same_words() -> None:
    theirs = {one["id"]: (one["sentence"], one["remedy"]) for one in yaml.safe_load(RULES.read_text())}
    ours = sentences()
    assert ours == {name: theirs.get(name) for name in ours}


def test_a_sentence_and_a_remedy_end_with_a_full_stop() -> None:
    assert [name for name, texts in sentences().items() for text in texts if not text.endswith(".")] == []
