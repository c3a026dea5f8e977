"""Parsers for the text of a setting. Each returns a value that is valid, or raises a `ValueError` that says what is allowed."""

import re
from collections.abc import Callable
from typing import Any

Parser = Callable[[str], Any]

# RFC 1123 as Kubernetes uses it: a label for the names of containers and namespaces, a subdomain for the names of secrets.
_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
# As the agent reads a duration: Go's time.ParseDuration, without signs and without units below a millisecond.
_DURATION_PART = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ms|s|m|h)"
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
# The limits of the agent's durations, in seconds: a millisecond, and a day.
_SHORTEST_S, _LONGEST_S = 0.001, 86_400.0
# Kubernetes allows a runAsUser up to here. Istio does not capture the traffic of its own user.
_LARGEST_UID, _ISTIO_UID = 2**31 - 1, 1337
_BOOLEANS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def boolean(text: str) -> bool:
    """A boolean, as Airflow writes it."""
    if text.lower() not in _BOOLEANS:
        raise ValueError("must be true or false")
    return _BOOLEANS[text.lower()]


def one_of(*words: str) -> Parser:
    """One of these words. An empty word stands for no value."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(word or 'nothing' for word in words)}")
        return text

    return parse


def list_of(parser: Parser) -> Parser:
    """A list with commas; an empty one is allowed."""
    return lambda text: tuple(parser(word.strip()) for word in text.split(",") if word.strip())


def optional(parser: Parser) -> Parser:
    """The same, or an empty text."""
    return lambda text: parser(text) if text else ""


def port(text: str) -> int:
    """A port."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("must be a port, 1 to 65535")
    return int(text)


def uid(text: str) -> int | None:
    """A user that is neither root nor Istio's proxy, or none."""
    if text == "none":
        return None
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= _LARGEST_UID or int(text) == _ISTIO_UID:
        raise ValueError(f"must be none or a user id, 1 to {_LARGEST_UID}, but not {_ISTIO_UID}, which is Istio's")
    return int(text)


def duration(text: str) -> str:
    """A duration that the agent accepts. A number without a unit is seconds."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text):
        text += "s"
    if not re.fullmatch(f"({_DURATION_PART})+", text) or not _SHORTEST_S <= seconds(text) <= _LONGEST_S:
        raise ValueError("must be a duration such as 90s or 5m, from 1ms to 24h")
    return text


def grace_period(text: str) -> int:
    """Seconds, or 0."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > _LONGEST_S:
        raise ValueError(f"must be seconds, 0 to {_LONGEST_S:.0f}")
    return int(text)


def _matching(pattern: str, what: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {what}")
        return text

    return parse


name = _matching(_LABEL, "a name of lower-case letters, digits and '-', at most 63 long")
secret = _matching(_SUBDOMAIN, "the names of secrets, with commas between them")


def seconds(duration: str) -> float:
    """A valid duration in seconds."""
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_DURATION_PART, duration))
