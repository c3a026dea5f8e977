"""The agent's verdict: what docs/verdict.schema.json describes, as far as Airflow tells it, and the line that tells it."""

import json
from dataclasses import dataclass
from typing import Any

# What became of the proxy, by the verdict's field `proxy`, if the drain took so many milliseconds.
_ENDED = {"gone": "ended", "left": "was drained, and kubelet ends it"}


@dataclass(frozen=True)
class Verdict:
    """The fields of a verdict that say whether everything was delivered."""

    proxy: str
    route: str | None
    drain_ms: int | None
    connections: int
    bytes: int
    at_least: bool
    limit: str | None
    advice: str | None
    refused: tuple[str, ...]

    @property
    def is_loss(self) -> bool:
        """Whether the agent knows of data that did not arrive. A connection without bytes may have delivered everything."""
        return self.bytes > 0 or self.limit is not None

    @property
    def is_good(self) -> bool:
        """Whether there is nothing to look at: no loss, and nothing that keeps the pod."""
        return not self.is_loss and self.proxy in ("gone", "left", "none")

    def sentence(self) -> str:
        """The verdict in one line, for the log of the task. Whoever writes the message cannot write a second line."""
        return "".join(letter if letter.isprintable() else " " for letter in self._text())

    def _text(self) -> str:
        if self.proxy == "untouched":
            return f"exeunt did nothing: {'; '.join(self.refused) or 'its own log says why'}"
        if self.proxy == "none":
            return "there was no Istio proxy"
        return f"{self._end()}: {self._delivery()}{f'; {self.advice}' if self.advice else ''}"

    def _end(self) -> str:
        if self.proxy == "draining":
            return "exeunt was ended before the proxy was drained"
        if self.proxy not in _ENDED:
            return "the proxy still runs, and keeps the pod"
        if self.drain_ms is None:
            return "the proxy had ended before the task"
        return f"the proxy {_ENDED[self.proxy]}, {self.drain_ms} ms after the task, by {self.route or 'itself'}"

    def _delivery(self) -> str:
        limit = f" ({self.limit})" if self.limit else ""
        more = " or more" if self.at_least else ""
        if self.bytes:
            return f"{self.bytes} bytes{more} on {self.connections} connections were not delivered{limit}"
        if self.connections:
            return f"{self.connections} connections{more} were cut off, perhaps with data{limit}"
        if self.is_loss or self.at_least:
            return f"nobody knows whether everything was delivered{limit}"
        return "everything was delivered"


def parse(message: str) -> Verdict:
    """The verdict in a termination message. `ValueError` if it is none."""
    try:
        told = json.loads(message)
    except RecursionError as problem:
        raise ValueError("too deep") from problem
    if not isinstance(told, dict):
        raise ValueError("not an object")
    undelivered = _field(told, "undelivered", dict, {})
    return Verdict(
        proxy=_field(told, "proxy", str),
        route=_field(told, "route", str, None),
        drain_ms=_field(told, "drainMs", int, None),
        connections=_field(undelivered, "connections", int, 0),
        bytes=_field(undelivered, "bytes", int, 0),
        at_least=_field(undelivered, "atLeast", bool, False),
        limit=_field(told, "limit", str, None),
        advice=_field(told, "advice", str, None),
        refused=tuple(str(one.get("reason")) for one in _field(told, "refused", list, []) if isinstance(one, dict)),
    )


def _field(told: dict[str, Any], name: str, kind: type, *default: Any) -> Any:
    """A field of this type. One that is missing or null has the default, if there is one."""
    value = told.get(name)
    if value is None and default:
        return default[0]
    if not isinstance(value, kind):
        raise ValueError(f"{name} is {value!r}")
    return value
