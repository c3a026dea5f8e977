"""Two metrics of Airflow's own Stats, which sends them to StatsD, DataDog or OpenTelemetry, as [metrics] says, or to nobody."""

from datetime import timedelta
from importlib import import_module
from typing import Any

from exeunt_airflow.verdict import Verdict

# How long the proxy was drained.
DRAIN = "exeunt.drain"
# Bytes that did not arrive, of all pods together.
UNDELIVERED = "exeunt.undelivered_bytes"
# Newer versions of Airflow first.
_MODULES = ("airflow.sdk.observability.stats", "airflow.stats")


def send(verdict: Verdict) -> None:
    """Sends both metrics of a proxy. A pod without one has none."""
    if verdict.proxy in ("none", "untouched"):
        return
    stats = _stats()
    if verdict.drain_ms is not None:
        stats.timing(DRAIN, timedelta(milliseconds=verdict.drain_ms))
    stats.incr(UNDELIVERED, verdict.bytes)


def _stats() -> Any:
    for module in _MODULES:
        try:
            return import_module(module).Stats
        except ImportError:
            continue
    raise ImportError(f"none of {', '.join(_MODULES)}")
