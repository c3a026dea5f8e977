"""The section [exeunt] of airflow.cfg, or AIRFLOW__EXEUNT__… in the environment: raw text in, a value that cannot be wrong out.

`read` takes any mapping, so the rules are the same wherever the text comes from; `source` reads Airflow's own configuration.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from exeunt_airflow.version import VERSION

SECTION = "exeunt"
Placement = Literal["auto", "native", "regular"]

# RFC 1123, as Kubernetes has it for the names of containers and namespaces, and for those of secrets with dots between.
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
# The plain forms of a Kubernetes quantity; exponents are nobody's way to write a limit.
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
# As the agent reads it (Go's time.ParseDuration without signs and without units below a millisecond).
_DURATION = re.compile(r"(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ms|s|m|h))+")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_IMAGE = re.compile(r"[a-z0-9][^\s]{0,510}")


class Mistakes(ValueError):
    """Everything that is wrong with the settings, a sentence each."""

    def __init__(self, sentences: list[str]) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True)
class Settings:
    """What may be set, with its default. A field's name is the option's."""

    enabled: bool = True
    # opt-out: every pod that does not say `exeunt.dev/drain: "off"`. opt-in: only those that say "on".
    mode: Literal["opt-out", "opt-in"] = "opt-out"
    # Empty: pods of all namespaces.
    namespaces: tuple[str, ...] = ()
    image: str = f"ghcr.io/exeunt-dev/exeunt-agent:{VERSION}"
    # Empty: kubelet's own default.
    image_pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    image_pull_secrets: tuple[str, ...] = ()
    placement: Placement = "auto"
    main_container: str = "base"
    # annotation: the pod is given its signal listener. service-entry: deploy/serviceentry.yaml is applied, and it needs none.
    signal_route: Literal["annotation", "service-entry"] = "annotation"
    signal_port: int = 15190
    drain_timeout: str = "5m"
    # The agent sleeps in poll(2): it was never seen above 2 MiB.
    cpu_request: str = "1m"
    memory_request: str = "4Mi"
    memory_limit: str = "16Mi"

    @property
    def drain_seconds(self) -> float:
        """`drain_timeout` in seconds."""
        parts = re.findall(r"([0-9.]+)(ms|s|m|h)", self.drain_timeout)
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)


Reader = Callable[[str], Any]


def _boolean(text: str) -> bool:
    known = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
    if text.lower() not in known:
        raise ValueError("must be true or false")
    return known[text.lower()]


def _one_of(*words: str) -> Reader:
    def read_word(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of {', '.join(word or 'nothing' for word in words)}")
        return text

    return read_word


def _matching(pattern: re.Pattern[str], what: str) -> Reader:
    def read_text(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"must be {what}")
        return text

    return read_text


def _list_of(reader: Reader) -> Reader:
    return lambda text: tuple(reader(word.strip()) for word in text.split(",") if word.strip())


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise ValueError("must be a port, 1 to 65535")
    return int(text)


_name = _matching(_LABEL, "a name of lower-case letters, digits and '-', at most 63 long")
_quantity = _matching(_QUANTITY, "a Kubernetes quantity such as 16Mi or 1m")
_READERS: dict[str, Reader] = {
    "enabled": _boolean,
    "mode": _one_of("opt-out", "opt-in"),
    "namespaces": _list_of(_name),
    "image": _matching(_IMAGE, "the reference of an image, without spaces"),
    "image_pull_policy": _one_of("", "Always", "IfNotPresent", "Never"),
    "image_pull_secrets": _list_of(_matching(_SUBDOMAIN, "the names of secrets, with commas between them")),
    "placement": _one_of("auto", "native", "regular"),
    "main_container": _name,
    "signal_route": _one_of("annotation", "service-entry"),
    "signal_port": _port,
    "drain_timeout": _matching(_DURATION, "a duration such as 90s or 5m"),
    "cpu_request": _quantity,
    "memory_request": _quantity,
    "memory_limit": _quantity,
}
NAMES = tuple(field.name for field in fields(Settings))


def read(raw: Mapping[str, str]) -> Settings:
    """The settings that `raw` says, or `Mistakes` with all of them."""
    mistakes = [f"[{SECTION}] {name} is not known: must be one of {', '.join(NAMES)}" for name in raw if name not in _READERS]
    values: dict[str, Any] = {}
    for name, reader in _READERS.items():
        if name in raw:
            try:
                values[name] = reader(raw[name].strip())
            except ValueError as wrong:
                mistakes.append(f"[{SECTION}] {name} is {raw[name]!r}: {wrong}")
    if mistakes:
        raise Mistakes(mistakes)
    return Settings(**values)


def source() -> dict[str, str]:
    """What Airflow's configuration says, from its file and from the environment."""
    # The rules above work without Airflow.
    from airflow.configuration import conf

    # Airflow tells a section's names only where the file has it; those of the environment must be looked for.
    prefix = f"AIRFLOW__{SECTION.upper()}__"
    names = {name.removeprefix(prefix).lower() for name in os.environ if name.startswith(prefix)}
    # One may end in _cmd or _secret, and `get` knows what to do with it.
    names = {name.removesuffix("_cmd").removesuffix("_secret") for name in names | set(conf.getsection(SECTION) or {})}
    texts = {name: conf.get(SECTION, name, fallback=None) for name in sorted(names)}
    return {name: text for name, text in texts.items() if text is not None}
