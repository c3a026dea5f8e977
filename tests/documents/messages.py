"""The messages that the programs of this project can print, from the string literals of their sources."""

import ast
import re
from functools import cache

from documents.pages import ROOT

# Where a message has a value, which only a run fills in.
VALUE = "\0"

_RUST = ("src/**/*.rs", "crates/*/src/**/*.rs", "agent/src/**/*.rs")
_PYTHON = ("image/*.py", "airflow/src/**/*.py", "tests/cluster/*.py")
_TEMPLATES = ("deploy/chart/templates/*",)
# The words of Istio that this test holds against Istio's own code.
_ISTIO = "tests/images/test_verify.py"


@cache
def messages() -> frozenset[str]:
    """Every string literal."""
    found: set[str] = set()
    for patterns, literals in ((_RUST, _of_rust), (_PYTHON, _of_python), (_TEMPLATES, _of_template), ((_ISTIO,), _of_python)):
        for path in {path for pattern in patterns for path in ROOT.glob(pattern)}:
            found.update(literals(path.read_text()))
    return frozenset(found)


def _of_rust(text: str) -> list[str]:
    # Neither comments nor the quotation mark as a character begin a string.
    code = re.sub(r"""(?m)^\s*//.*$|'\\?"'""", "", text)
    literals = re.findall(r'"((?:[^"\\]|\\.)*)"', code, re.DOTALL)
    joined = [re.sub(r"\\\n\s*", "", literal).replace('\\"', '"') for literal in literals]
    return [re.sub(r"(?<!\{)\{[^{}]*\}", VALUE, literal) for literal in joined]


def _of_python(text: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(part.value if isinstance(part, ast.Constant) else VALUE for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def _of_template(text: str) -> list[str]:
    return [re.sub(r"%[sqd]", VALUE, literal) for literal in re.findall(r'"((?:[^"\\]|\\.)*)"', text)]
