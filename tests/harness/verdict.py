"""Checks that a verdict of the agent is as docs/verdict.schema.json describes it."""

import functools
import json
from typing import TYPE_CHECKING, Any

from .paths import ROOT

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SCHEMA = ROOT / "docs" / "verdict.schema.json"
# The longest termination message that kubelet keeps (kubernetes, pkg/kubelet/container/runtime.go,
# MaxContainerTerminationMessageLength).
MAX_BYTES = 4096

Json = dict[str, Any]


class InvalidVerdict(AssertionError):
    """A verdict that breaks its schema; the text names each field and the problem."""


def check(line: str) -> Json:
    """The verdict on this line. Fails if it is not one line of JSON, is too long, or breaks the schema."""
    text = line.strip()
    if len(text.splitlines()) != 1:
        raise InvalidVerdict(f"a verdict must be one line of JSON: {line!r}")
    if len(text.encode()) > MAX_BYTES:
        raise InvalidVerdict(
            f"a verdict must not be longer than {MAX_BYTES} bytes, and this one has {len(text.encode())}: {text}"
        )
    try:
        verdict: Json = json.loads(text)
    except ValueError as error:
        raise InvalidVerdict(f"a verdict must be JSON ({error}): {text}") from None
    found = problems(verdict)
    if found:
        raise InvalidVerdict(f"{'; '.join(found)}: {text}")
    return verdict


def problems(verdict: Any) -> list[str]:
    """Every way in which a parsed verdict breaks the schema, as `field: problem`; `$` is the verdict itself."""
    return sorted({f"{error.json_path.removeprefix('$.')}: {error.message}" for error in _validator().iter_errors(verdict)})


@functools.cache
def _validator() -> "Validator":
    # The demo and the benchmark import this module too, and run without jsonschema.
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA.read_text())
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)
