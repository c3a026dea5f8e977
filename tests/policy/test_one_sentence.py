"""A mistake has one name and one sentence: kubectl prints the same when it is applied and when `kubectl exeunt` finds it."""

import yaml

from chart.programs import ROOT
from policy.warned import sentences

RULES = ROOT / "cli" / "src" / "rules" / "rules.yaml"
# At least these are in both.
SHARED = {"agent-stripped", "host-network", "no-shared-processes", "status-port-zero", "unlabelled", "wrong-container-name"}


def test_a_rule_of_both_has_one_sentence_and_one_remedy() -> None:
    theirs = {one["id"]: (one["sentence"], one["remedy"]) for one in yaml.safe_load(RULES.read_text())}
    ours = sentences()
    shared = ours.keys() & theirs.keys()
    assert shared >= SHARED
    assert {name: ours[name] for name in shared} == {name: theirs[name] for name in shared}


def test_a_sentence_and_a_remedy_end_with_a_full_stop() -> None:
    assert [name for name, texts in sentences().items() for text in texts if not text.endswith(".")] == []
