"""Parsers for the settings that say how the helpers of all pods end. Each rule names its container, as the agent reads it.

An annotation may leave out the name. A setting may not: without it the rule would hold for every pod.
"""

import re

from exeunt_airflow import parsers
from exeunt_airflow.container_names import AGENT, PROXY, XCOM_HELPER

_LOOPBACK = r"(localhost|127(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}|\[::1\])"
# In a list with commas a URL has none.
_ENDPOINT = re.compile(rf"((POST|GET|PUT) +)?http://{_LOOPBACK}(:(?P<port>\d{{1,5}}))?([/?][!-+\--~]*)?", re.ASCII)
_SIGNAL = re.compile(r"(SIG)?(TERM|INT|QUIT|HUP|USR1|USR2|KILL)")
# Envoy's admin interface, and pilot-agent: a request there would end the proxy before its drain.
_PORTS_OF_THE_PROXY = (15000, 15020)


def endpoint(text: str) -> str:
    """NAME=[METHOD ]URL: the request that ends a helper."""
    name, rest = _split(text)
    match = _ENDPOINT.fullmatch(rest)
    port = int(match["port"] or 80) if match else 0
    if not _is_helper(name) or not 1 <= port <= 65535 or port in _PORTS_OF_THE_PROXY:
        raise ValueError("must be NAME=[METHOD ]URL, with POST, GET or PUT, and an http URL on loopback, not of Istio or Airflow")
    return f"{name}={rest}"


def signal(text: str) -> str:
    """NAME=SIGNAL: the signal that ends a helper."""
    name, rest = _split(text)
    if not _is_helper(name) or not _SIGNAL.fullmatch(rest):
        raise ValueError("must be NAME=SIGNAL, with TERM, INT, QUIT, HUP, USR1, USR2 or KILL, not of Istio or Airflow")
    return f"{name}={rest}"


def container(text: str) -> str:
    """NAME: a helper that ends by itself."""
    if not _is_helper(text):
        raise ValueError("must be the names of helpers, with commas between them, not of Istio or Airflow")
    return text


def _split(text: str) -> tuple[str, str]:
    name, _, rest = text.partition("=")
    return name.strip(), rest.strip()


def _is_helper(name: str) -> bool:
    try:
        # Airflow ends its own helper when it has read the result.
        return parsers.name(name) not in (AGENT, PROXY, XCOM_HELPER)
    except ValueError:
        return False
