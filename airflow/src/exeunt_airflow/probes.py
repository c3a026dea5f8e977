"""Probes for the agent's container. It needs none; some clusters refuse a container without.

The API server refuses every pod with a probe that it cannot use, so a mistake must be found here.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

FIELDS = {"startupProbe": "startup_probe", "livenessProbe": "liveness_probe", "readinessProbe": "readiness_probe"}
_MUST = "must be probes that Kubernetes takes"

Check = Callable[[Any], bool]


def probes(text: str) -> tuple[tuple[str, Any], ...]:
    """The probes of a container as JSON, by the names of their fields in the Kubernetes client."""
    try:
        told = json.loads(text or "{}")
    except ValueError as problem:
        raise ValueError(f"must be JSON: {problem}") from None
    if not isinstance(told, dict) or not all(name in FIELDS and isinstance(probe, dict) for name, probe in told.items()):
        raise ValueError(f"must be a JSON object with {', '.join(FIELDS)}, each a probe as in a container")
    for name, probe in told.items():
        _check(name, probe)
    return tuple((FIELDS[name], probe) for name, probe in told.items())


def _check(name: str, probe: dict[str, Any]) -> None:
    if len(probe.keys() & _ACTIONS.keys()) != 1:
        raise ValueError(f"{_MUST}: {name} has not exactly one of {', '.join(_ACTIONS)}")
    for key, value in probe.items():
        check = _ACTIONS.get(key) or _TIMES.get(key)
        if check is None:
            raise ValueError(f"{_MUST}: {name}.{key} is not known")
        if not check(value):
            raise ValueError(f"{_MUST}: {name}.{key} is {json.dumps(value)}")


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_text, value))


def _number(least: int, most: int = 2**31 - 1) -> Check:
    return lambda value: type(value) is int and least <= value <= most


def _one(value: Any) -> bool:
    return type(value) is int and value == 1


def _scheme(value: Any) -> bool:
    return value in ("HTTP", "HTTPS")


def _object(needed: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    def check(value: Any) -> bool:
        if not isinstance(value, dict) or not needed.keys() <= value.keys() <= needed.keys() | optional.keys():
            return False
        return all((needed.get(key) or optional[key])(one) for key, one in value.items())

    return check


_PORT = {"port": _number(1, 65535)}
_HEADER = _object({"name": _text, "value": _text}, {})


def _headers(value: Any) -> bool:
    return isinstance(value, list) and all(map(_HEADER, value))


# What a probe does, and when: the fields of a probe in Kubernetes.
_ACTIONS: Mapping[str, Check] = {
    "exec": _object({"command": _texts}, {}),
    "grpc": _object(_PORT, {"service": _text}),
    "httpGet": _object(_PORT, {"path": _text, "host": _text, "scheme": _scheme, "httpHeaders": _headers}),
    "tcpSocket": _object(_PORT, {"host": _text}),
}
_TIMES: Mapping[str, Check] = {
    "initialDelaySeconds": _number(0),
    "periodSeconds": _number(1),
    "timeoutSeconds": _number(1),
    "successThreshold": _one,
    "failureThreshold": _number(1),
}
