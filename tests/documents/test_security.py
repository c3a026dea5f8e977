"""docs/security.md names tests that exist, and shows a Job that is the sample."""

import fnmatch
import re
from typing import Any

import pytest
import yaml

from cluster.scenarios import NAMES
from documents.pages import ROOT, blocks

_PAGE = ROOT / "docs" / "security.md"
_QUOTED = re.findall(r"`([^`\n]+)`", _PAGE.read_text())
_SCENARIOS = sorted({name for name in _QUOTED if re.fullmatch(r"(?:trust|restricted)-[a-z*-]+", name) and name != "trust-…"})
_FILES = sorted({name for name in _QUOTED if name.startswith("tests/")})


@pytest.mark.parametrize("name", _SCENARIOS)
def test_a_scenario_that_is_named_exists(name: str) -> None:
    assert fnmatch.filter(NAMES, name)


def test_every_attack_that_is_played_is_in_the_table() -> None:
    attacks = [name for name in NAMES if name.startswith("trust-")]
    assert attacks
    assert [name for name in attacks if not any(fnmatch.fnmatch(name, pattern) for pattern in _SCENARIOS)] == []


@pytest.mark.parametrize("name", _FILES)
def test_a_test_that_is_named_exists(name: str) -> None:
    assert (ROOT / name).exists()


def test_the_hardened_job_that_is_shown_is_a_part_of_the_sample() -> None:
    (shown,) = [block for block in blocks(_PAGE) if block.language == "yaml"]
    sample = yaml.safe_load((ROOT / "deploy" / "samples" / "job-hardened.yaml").read_text())
    assert _missing(yaml.safe_load(shown.text), sample) == []


def test_a_field_that_the_sample_does_not_have_is_found() -> None:
    shown = {"containers": [{"name": "main", "tty": True}], "seccomp": {"type": "Unconfined"}}
    sample = {"containers": [{"name": "exeunt"}, {"name": "main", "stdin": True}], "seccomp": {"type": "RuntimeDefault"}}
    assert _missing(shown, sample) == [".containers.main.tty", ".seccomp.type"]


def _missing(shown: Any, sample: Any, place: str = "") -> list[str]:
    """The fields that are not in the sample, or have another value there. Items of a list are known by their names."""
    if isinstance(shown, dict) and isinstance(sample, dict):
        return [one for key, value in shown.items() for one in _missing(value, sample.get(key), f"{place}.{key}")]
    if isinstance(shown, list) and isinstance(sample, list) and all(isinstance(item, dict) for item in [*shown, *sample]):
        by_name = {item["name"]: item for item in sample}
        return [one for item in shown for one in _missing(item, by_name.get(item["name"]), f"{place}.{item['name']}")]
    return [] if shown == sample else [place]
