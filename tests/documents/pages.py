"""Reads the documents: their code blocks, and the messages that they quote.

A comment in the line above a code block says how it is tested:

  <!-- not run: REASON -->      the commands cannot be run here, and why
  <!-- run by: FILE -->         this test file runs them
  <!-- run in a new cluster --> the commands are run, and nothing of the blocks before them is in the cluster
  <!-- file: NAME -->           the block is a file, which the commands of the page find under that name
  <!-- output -->               what the commands before it print; … stands for anything

A block of the language `sh` without a comment is run. A block without a language is a mistake.
"""

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]

_COMMENT = re.compile(r"<!--\s*(.*?)\s*-->", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced code block."""

    page: Path
    # Of its first line of code, from 1.
    line: int
    language: str
    text: str
    # The comment above it, without its brackets; empty if there is none.
    comment: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_commands(self) -> bool:
        """Whether a reader would type it."""
        return self.language == "sh"

    @property
    def is_run(self) -> bool:
        """Whether the test of this folder runs it."""
        return self.is_commands and not self.comment.startswith(("not run:", "run by:"))

    def value(self, key: str) -> str:
        """What the comment says after `key:`; empty if it says something else."""
        name, colon, text = self.comment.partition(":")
        return text.strip() if colon and name == key else ""


@dataclass(frozen=True)
class Quote:
    """What a document quotes: code in the first column of a table.

    The head of the column tells what it is: "the agent says" or "Helm says" a message, "the verdict has" a field.
    """

    page: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: `{self.text}`"


@cache
def pages() -> list[Path]:
    """Every document."""
    found = []
    for folder, inside, files in os.walk(ROOT):
        # Not into what was downloaded or built.
        inside[:] = [name for name in inside if name not in ("target", "node_modules") and (name[0] != "." or name == ".github")]
        found += [Path(folder) / name for name in files if name.endswith(".md")]
    return sorted(found)


def blocks(page: Path) -> list[Block]:
    """The code blocks of a page, in their order."""
    found = []
    comment = ""
    for token in _tokens(page):
        if token.type == "fence":
            assert token.map is not None
            found.append(Block(page, token.map[0] + 2, token.info.strip(), token.content, comment))
        last = _COMMENT.fullmatch(token.content.strip()) if token.type == "html_block" else None
        # In a list the end of a paragraph can stand between a comment and its block.
        comment = last[1] if last is not None else comment if token.nesting == -1 else ""
    return found


def indented_blocks(page: Path) -> list[int]:
    """The lines of the code blocks that are only indented, which have neither a language nor a comment."""
    return [token.map[0] + 1 for token in _tokens(page) if token.type == "code_block" and token.map is not None]


def quotes(page: Path, verb: str = "says") -> list[Quote]:
    """What a page quotes in the tables whose first head ends in `verb`, in its order."""
    found: list[Quote] = []
    tokens = _tokens(page)
    says = False
    column = 0
    for number, token in enumerate(tokens):
        if token.type == "tr_open":
            column = 0
        elif token.type == "th_open" and column == 0:
            says = tokens[number + 1].content.endswith(f" {verb}")
        elif token.type == "td_open" and column == 0 and says:
            inline = tokens[number + 1]
            line = (inline.map or [0])[0] + 1
            found += [Quote(page, line, child.content) for child in inline.children or [] if child.type == "code_inline"]
        elif token.type in ("th_close", "td_close"):
            column += 1
    return found


def _tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())
