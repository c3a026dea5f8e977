"""The annotation proxy.istio.io/config: YAML of the user's, merged key by key with what a pod of ours needs.

The result is JSON, which is YAML that every reader reads alike. Comments go, values do not: where one cannot be kept as Istio
would have read it, the pod is left alone.
"""

import json
import re
from typing import Any

import yaml

from exeunt_airflow.reasons import InDoubt
from exeunt_airflow.settings import Settings

ANNOTATION = "proxy.istio.io/config"
# The signal listener: a forward proxy's, on 127.0.0.1 and ::1 (docs/decisions/0001-a-wasm-filter-with-an-agent.md).
SIGNAL_PORT = "ISTIO_META_HTTP_PROXY_PORT"
# When a pod is deleted pilot-agent then waits for its connections instead of five blind seconds (istio pkg/istio-agent/agent.go).
EXIT_ON_ZERO = "EXIT_ON_ZERO_ACTIVE_CONNECTIONS"


class _Loader(yaml.SafeLoader):
    """YAML as Istio's reader takes it: no dates, and 12:30 is no number."""


_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(([0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(inf|Inf|INF))|\.(nan|NaN|NAN)"
)
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.removeprefix(_TAG) not in ("timestamp", "int", "float")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _kind, _pattern in (("int", _INT), ("float", _FLOAT)):
    _Loader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(f"^(?:{_pattern.pattern})$"), list("-+0123456789."))


def merged(text: str | None, settings: Settings) -> str:
    """The annotation's value with what is needed in it; as it was, to the letter, if it has all of that."""
    config = _parsed(text)
    metadata = config.get("proxyMetadata")
    if metadata is None:
        metadata = {}
    if not isinstance(metadata, dict):
        raise InDoubt(f"proxyMetadata in its annotation {ANNOTATION} is no mapping")
    wanted = dict(metadata)
    if settings.signal_route == "annotation":
        port = str(wanted.setdefault(SIGNAL_PORT, str(settings.signal_port)))
        if port != str(settings.signal_port):
            raise InDoubt(f"{SIGNAL_PORT} in its annotation {ANNOTATION} is {port}: must be {settings.signal_port}, or absent")
    wanted.setdefault(EXIT_ON_ZERO, "true")
    if text is not None and wanted == metadata:
        return text
    try:
        return json.dumps(config | {"proxyMetadata": wanted}, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InDoubt(f"its annotation {ANNOTATION} holds what JSON has no word for: {error}") from None


def _parsed(text: str | None) -> dict[str, Any]:
    try:
        # It is a safe loader; the lint knows only the one of that name.
        config = yaml.load(text or "", Loader=_Loader)  # noqa: S506
    except (yaml.YAMLError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InDoubt(f"its annotation {ANNOTATION} is not YAML: {reason}") from None
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise InDoubt(f"its annotation {ANNOTATION} is no mapping")
    return config
