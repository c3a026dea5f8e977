"""The commands of the documents are run, in the order of each page."""

import re
from pathlib import Path

import pytest

from documents.cluster import Cluster
from documents.pages import ROOT, Block, blocks, pages
from documents.reader import Reader

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


def test_a_command_that_fails_is_the_last_that_was_typed(world: tuple[Reader, Cluster], tmp_path: Path) -> None:
    reader, cluster = world
    cluster.empty()
    page = tmp_path / "page.md"
    page.write_text("```sh\nNAME=exeunt\n```\n\n```sh\nkubectl -n jobs get wasmplugin $NAME\n```\n\n```sh\ntouch later\n```\n")
    typed = reader.type(blocks(page))
    assert typed.code != 0
    assert [*typed.out] == blocks(page)[:2]
    assert 'wasmplugins "exeunt" not found' in typed.err
    assert not (reader.checkout / "later").exists()


def test_a_resource_that_the_api_server_refuses_fails_the_command(world: tuple[Reader, Cluster], tmp_path: Path) -> None:
    reader, _ = world
    page = tmp_path / "page.md"
    page.write_text("```sh\nsed s/failStrategy/failStratgy/ wasmplugin.yaml | kubectl apply -n jobs -f -\n```\n")
    typed = reader.type(blocks(page))
    assert typed.code != 0
    assert "spec.failStratgy: unknown field" in typed.err


def test_a_line_that_is_not_printed_is_found() -> None:
    page = ROOT / "docs" / "install.md"
    block = Block(page, 1, "text", "registry.example.com/exeunt pushed: linux/…\n  digest  sha256:…\n", "output")
    assert _missing_lines(block, "127.0.0.1:5000/exeunt pushed: linux/amd64\n  digest  sha256:12\n") == []
    assert _missing_lines(block, "127.0.0.1:5000/exeunt pushed: linux/amd64\n  sha256:12\n") == ["  digest  sha256:…"]


def _missing_lines(block: Block, printed: str) -> list[str]:
    """The lines of a block of output that no printed line is."""
    lines = printed.splitlines()
    return [line for line in block.text.splitlines() if not any(re.fullmatch(_pattern(line), one) for one in lines)]


def _pattern(line: str) -> str:
    """… stands for anything, and so does the example's registry."""
    return ".*".join(re.escape(part) for part in re.split(r"…|registry\.example\.com", line))
