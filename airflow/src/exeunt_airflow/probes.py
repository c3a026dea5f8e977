"""Probes for the agent's container. It needs none; some clusters refuse a container without."""

import json
from typing import Any

FIELDS = {"startupProbe": "startup_probe", "livenessProbe": "liveness_probe", "readinessProbe": "readiness_probe"}


def probes(text: str) -> tuple[tuple[str, Any], ...]:
    """The probes of a container as JSON, by the names of their fields in the Kubernetes client."""
    try:
        told = json.loads(text or "{}")
    except ValueError as problem:
        raise ValueError(f"must be JSON: {problem}") from None
    if not isinstance(told, dict) or not all(name in FIELDS and isinstance(probe, dict) for name, probe in told.items()):
        raise ValueError(f"must be a JSON object with {', '.join(FIELDS)}, each a probe as in a container")
    return tuple((FIELDS[name], probe) for name, probe in told.items())
