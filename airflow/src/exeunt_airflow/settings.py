"""The section [exeunt] of airflow.cfg, or the variables AIRFLOW__EXEUNT__….

`source` reads the texts from Airflow's configuration. `read` turns any mapping of texts into valid settings.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from exeunt_airflow import parsers
from exeunt_airflow.parsers import Parser
from exeunt_airflow.version import VERSION

SECTION = "exeunt"
# The agent's own.
DRAIN_TIMEOUT = "5m"


class InvalidSettings(ValueError):
    """Every mistake in the settings, one sentence for each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("; ".join(mistakes))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Settings:
    """The settings with their defaults. The name of a field is the name of the setting."""

    enabled: bool = True
    # opt-out: every pod without the label `exeunt.dev/drain: "off"`. opt-in: only pods with the label `exeunt.dev/drain: "on"`.
    mode: Literal["opt-out", "opt-in"] = "opt-out"
    # Empty: pods of all namespaces.
    namespaces: tuple[str, ...] = ()
    image: str = f"ghcr.io/exeunt-dev/exeunt-agent:{VERSION}"
    # Empty: kubelet's own default.
    image_pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""
    image_pull_secrets: tuple[str, ...] = ()
    # native: the hook makes the proxy a native sidecar. classic: it leaves the proxy as Istio makes it. auto: native where every
    # node and every supported Istio can.
    proxy: Literal["auto", "native", "classic"] = "auto"
    placement: Literal["auto", "native", "regular"] = "auto"
    # Which pods may share their processes, where the agent must see those of the task: always; unless-root: those of which every
    # container surely has another user; never. A pod that may not share them stays unchanged.
    share_processes: Literal["always", "unless-root", "never"] = "always"
    # The agent's user, which no other container should have: with it a task could end the agent, and Airflow ends its XCom helper
    # with `pgrep -u`, which must never find it. None: the user of the image, or the one that the cluster assigns.
    uid: int | None = 15190
    # Containers that never end by themselves, besides those that exeunt knows.
    endless_helpers: tuple[str, ...] = ()
    # annotation: the hook gives the pod a signal listener. service-entry: the cluster has one, from deploy/serviceentry.yaml.
    signal_route: Literal["annotation", "service-entry"] = "annotation"
    signal_port: int = 15190
    # Empty: the plugin's or the agent's own, and no longer than the pod's grace period allows.
    drain_timeout: str = ""
    # The agent sleeps in poll(2). It has never used more than 2 MiB.
    cpu_request: str = "10m"
    memory_request: str = "16Mi"
    memory_limit: str = "16Mi"

    @property
    def drain_seconds(self) -> float:
        """The longest drain in seconds."""
        return parsers.seconds(self.drain_timeout or DRAIN_TIMEOUT)


_PARSERS: dict[str, Parser] = {
    "enabled": parsers.boolean,
    "mode": parsers.one_of("opt-out", "opt-in"),
    "namespaces": parsers.list_of(parsers.name),
    "image": parsers.image,
    "image_pull_policy": parsers.one_of("", "Always", "IfNotPresent", "Never"),
    "image_pull_secrets": parsers.list_of(parsers.secret),
    "proxy": parsers.one_of("auto", "native", "classic"),
    "placement": parsers.one_of("auto", "native", "regular"),
    "share_processes": parsers.one_of("always", "unless-root", "never"),
    "uid": parsers.uid,
    "endless_helpers": parsers.list_of(parsers.name),
    "signal_route": parsers.one_of("annotation", "service-entry"),
    "signal_port": parsers.port,
    "drain_timeout": parsers.optional(parsers.duration),
    "cpu_request": parsers.quantity,
    "memory_request": parsers.quantity,
    "memory_limit": parsers.quantity,
}
NAMES = tuple(field.name for field in fields(Settings))


def read(texts: Mapping[str, str]) -> Settings:
    """The settings that `texts` describes, or `InvalidSettings` with every mistake."""
    mistakes = [f"[{SECTION}] {name} is not known: must be one of {', '.join(NAMES)}" for name in texts if name not in _PARSERS]
    values: dict[str, Any] = {}
    for name, parse in _PARSERS.items():
        if name in texts:
            try:
                values[name] = parse(texts[name].strip())
            except ValueError as problem:
                mistakes.append(f"[{SECTION}] {name} is {texts[name]!r}: {problem}")
    if mistakes:
        raise InvalidSettings(mistakes)
    return Settings(**values)


def source() -> dict[str, str]:
    """The texts in Airflow's configuration, from its file and from the environment."""
    # Everything above also works without Airflow.
    from airflow.configuration import conf

    # Airflow lists the names of a section only if the file has it. Names that are only in the environment must be found there.
    prefix = f"AIRFLOW__{SECTION.upper()}__"
    names = {name.removeprefix(prefix).lower() for name in os.environ if name.startswith(prefix)}
    # A name may end in _cmd or _secret; `get` takes the name without it.
    names = {name.removesuffix("_cmd").removesuffix("_secret") for name in names | set(conf.getsection(SECTION) or {})}
    texts = {name: conf.get(SECTION, name, fallback=None) for name in sorted(names)}
    return {name: text for name, text in texts.items() if text is not None}
