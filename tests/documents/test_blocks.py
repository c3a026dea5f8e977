"""Every code block of the documents says what it is, and how it is tested."""

from pathlib import Path

import pytest
import yaml

from documents.pages import ROOT, blocks, indented_blocks, pages

# Written by ./build.sh e2e --render; its commands are those of past runs.
_GENERATED = ROOT / "docs" / "cluster-report.md"
_LANGUAGES = {"diff", "json", "python", "sh", "text", "yaml"}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_block_says_what_it_is(page: Path) -> None:
    mistakes = [
        f"{block} must have a language: one of {', '.join(sorted(_LANGUAGES))}"
        for block in blocks(page)
        if block.language not in _LANGUAGES
    ]
    assert mistakes == []


@pytest.mark.parametrize("page", [page for page in pages() if page != _GENERATED], ids=_name)
def test_every_block_has_a_fence(page: Path) -> None:
    assert indented_blocks(page) == []


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_a_block_that_is_not_run_has_a_reason_or_a_test(page: Path) -> None:
    mistakes = []
    for block in blocks(page):
        if not block.is_commands or block.is_run:
            continue
        file = block.value("run by")
        if file and not (ROOT / file.partition("::")[0]).is_file():
            mistakes.append(f"{block}: there is no {file}")
        if not file and len(block.value("not run").split()) < 3:
            mistakes.append(f"{block}: must say why it is not run: <!-- not run: REASON -->")
    assert mistakes == []


@pytest.mark.parametrize("page", pages(), ids=_name)
def test_every_yaml_block_is_yaml(page: Path) -> None:
    for block in blocks(page):
        # A template of Helm's becomes YAML only when it is rendered.
        if block.language == "yaml" and "{{" not in block.text:
            assert list(yaml.safe_load_all(block.text)), block
