"""Every command of the documents is run, or its block says why not."""

import re
from pathlib import Path

import pytest
import yaml

from documents.cluster import Cluster
from documents.pages import ROOT, Block, blocks, pages
from documents.reader import Reader

_LANGUAGES = {"diff", "json", "python", "sh", "text", "yaml"}
_PAGES = [page for page in pages() if any(block.is_run for block in blocks(page))]
# What a page takes for granted.
_A_POD = "kubectl apply -n jobs -f deploy/samples/job.yaml"
_BEFORE = {
    "docs/agent.md": _A_POD,
    "docs/airflow.md": _A_POD,
    "docs/images.md": _A_POD,
    "docs/rescue.md": _A_POD,
    "docs/troubleshooting.md": _A_POD,
    "docs/upgrade-and-uninstall.md": "helm install exeunt deploy/chart --namespace jobs",
}


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


@pytest.mark.parametrize("page", _PAGES, ids=_name)
def test_the_commands_of_a_page_work_in_their_order(page: Path, world: tuple[Reader, Cluster]) -> None:
    reader, cluster = world
    cluster.empty()
    typed = reader.type(blocks(page), _BEFORE.get(_name(page), ""))
    assert typed.code == 0, f"{[*typed.out][-1] if typed.out else page} failed:\n{typed.err}"
    last = ""
    for block in blocks(page):
        if block.is_run:
            last = typed.out[block]
        elif block.comment == "output":
            assert _missing_lines(block, last) == [], f"{block} is not what the command prints:\n{last}"


def _missing_lines(block: Block, printed: str) -> list[str]:
    """The lines of a block of output that no printed line is."""
    lines = printed.splitlines()
    return [line for line in block.text.splitlines() if not any(re.fullmatch(_pattern(line), one) for one in lines)]


def _pattern(line: str) -> str:
    """… stands for anything, and so does the example's registry."""
    return ".*".join(re.escape(part) for part in re.split(r"…|registry\.example\.com", line))
