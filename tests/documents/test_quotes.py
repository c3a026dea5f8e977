"""Every message that a document quotes is one that a program can print."""

import json
import re

import pytest

from documents.messages import VALUE, messages
from documents.pages import ROOT, Quote, pages, quotes

# What other programs say, and which.
_OTHERS = {
    "Init:ImagePullBackOff": "kubectl get",
    "Init:ErrImagePull": "kubectl get",
    "ImagePullBackOff": "kubectl get",
    "ErrImagePull": "kubectl get",
    "Init:0/2": "kubectl get",
    "livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always": "the API server",
    "CreateContainerConfigError": "kubectl get",
    "container has runAsNonRoot and image will run as root": "kubelet, in the pod's events",
    "container's runAsUser breaks non-root policy": "kubelet, in the pod's events",
    "http: server gave HTTP response to HTTPS client": "containerd, in kubectl describe",
    "exec format error": "the kernel, in kubectl logs",
    "context deadline exceeded": "Go, in Istio's agent",
    "at '/plugin/…': …": "Helm, of values.schema.json",
    "wasmplugins.extensions.istio.io is forbidden": "the API server, to Helm",
    'no matches for kind "TrafficExtension"': "Helm and kubectl",
    'no matches for kind "WasmPlugin"': "Helm and kubectl",
}
# What a document writes where a message has a value.
_PLACEHOLDER = re.compile(r"…|\b(?:NAME|PID|N|FIELD|FILE|VALUE|IMAGE|URL)\b")
# Such as a status: a message can have it in its text, or as a value.
_NUMBER = re.compile(r"\d+")

_QUOTES = [quote for page in pages() for quote in quotes(page)]


@pytest.mark.parametrize("quote", _QUOTES, ids=str)
def test_a_quoted_message_is_in_the_sources(quote: Quote) -> None:
    known = quote.text in _OTHERS or any(_is_said(quote.text, message) for message in messages())
    assert known, f"{quote} is no message of this project: correct it, or name in test_quotes.py who else says it"


@pytest.mark.parametrize("quote", [quote for page in pages() for quote in quotes(page, "has")], ids=str)
def test_a_quoted_part_of_a_verdict_is_allowed_by_its_schema(quote: Quote) -> None:
    definitions = json.loads((ROOT / "docs" / "verdict.schema.json").read_text())["$defs"].values()
    ((field, value),) = json.loads(f"{{{quote.text}}}").items()
    schemas = [one["properties"][field] for one in definitions if field in one.get("properties", {})]
    assert any(value == one.get("const") or value in one.get("enum", []) for one in schemas), quote


def test_every_message_of_others_is_quoted() -> None:
    assert set(_OTHERS) <= {quote.text for quote in _QUOTES}


def test_the_documents_quote_something() -> None:
    assert {quote.page.relative_to(ROOT).name for quote in _QUOTES} >= {"troubleshooting.md", "images.md"}


@pytest.mark.parametrize(
    ("quote", "message", "expected"),
    [
        ("watching NAME, process PID", "watching \0, process \0", True),
        ("watching base, process PID", "watching \0, process \0", False),
        ("watches NAME, process PID", "watching \0, process \0", False),
        ("next attempt in N s", "\0; next attempt in \0 s", True),
        ("it is …, and Istio takes …", "it is \0, and Istio takes \0: build it", True),
        ("not the answer (503)", "not the answer (\0)", True),
        ("refused", "was refused with", True),
        ("confused", "was refused with", False),
    ],
)
def test_a_quote_has_placeholders_where_the_message_has_values(quote: str, message: str, expected: bool) -> None:
    assert _is_said(quote, message) is expected


def _is_said(quote: str, message: str) -> bool:
    parts = [_NUMBER.sub(_or_a_value, re.escape(part)) for part in _PLACEHOLDER.split(quote)]
    return re.search(".*".join(parts), message, re.DOTALL) is not None


def _or_a_value(number: re.Match[str]) -> str:
    return f"(?:{number[0]}|{VALUE})"
