"""The section [exeunt] of airflow.cfg, or the variables AIRFLOW__EXEUNT__….

`source` reads the texts from Airflow's configuration. `read` turns any mapping of texts into valid settings.
"""

import contextlib
import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from exeunt_airflow import helper_rules, parsers, quantity, resources
from exeunt_airflow.image_reference import image
from exeunt_airflow.more_arguments import arguments
from exeunt_airflow.parsers import Parser
from exeunt_airflow.pod_labels import labels
from exeunt_airflow.probes import probes
from exeunt_airflow.version import VERSION

SECTION = "exeunt"
# The agent's own.
DRAIN_TIMEOUT = "5m"


class InvalidSettings(ValueError):
    """Mistakes with which the hook must leave every pod as it is, one sentence for each, and all others."""

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
    # native: the hook makes the proxy a native sidecar. keep: it leaves the proxy as Istio makes it. auto: native where every
    # node and every supported Istio can.
    proxy: Literal["auto", "native", "keep"] = "auto"
    placement: Literal["auto", "native", "regular"] = "auto"
    # Which pods may share their processes, where the agent must see those of the task: always; unless-root: those of which every
    # container surely has another user; never. A pod that may not share them stays unchanged.
    share_processes: Literal["always", "unless-root", "never"] = "always"
    # The agent's user, which no other container should have: with it a task could end the agent, and Airflow ends its XCom helper
    # with `pgrep -u`, which must never find it. None: the user of the image, or the one that the cluster assigns.
    uid: int | None = 15190
    # none: no profile of the agent's own, for clusters that allow none or give one by themselves.
    seccomp: Literal["RuntimeDefault", "none"] = "RuntimeDefault"
    # Containers that never end by themselves, besides those that exeunt knows.
    endless_helpers: tuple[str, ...] = ()
    # How helpers end, in each pod that has them and says nothing of them itself: by a request or a signal of the agent, or by
    # themselves a little after the task.
    quit_endpoints: tuple[str, ...] = ()
    quit_signals: tuple[str, ...] = ()
    also_wait: tuple[str, ...] = ()
    # annotation: the hook gives the pod a signal listener. service-entry: the cluster has one, from deploy/serviceentry.yaml.
    signal_route: Literal["annotation", "service-entry"] = "annotation"
    signal_port: int = 15190
    # Where istio-proxy finds the plugin's module: none, by the plugin's own url; configMap, in the ConfigMap exeunt-module of its
    # namespace; image, in the agent's image.
    module: Literal["none", "configMap", "image"] = "none"
    # Empty: the plugin's or the agent's own, and no longer than the pod's grace period allows.
    drain_timeout: str = ""
    # Pods beside native proxies get at least so many seconds. 0: they keep their own.
    grace_period: int = 0
    # The agent sleeps in poll(2), and has never used more than 2 MiB. None: no such request or limit.
    cpu_request: str | None = "10m"
    cpu_limit: str | None = None
    memory_request: str | None = "16Mi"
    memory_limit: str | None = "16Mi"
    # More labels for the pod; those that it has count first.
    labels: tuple[tuple[str, str], ...] = ()
    # More arguments for the agent.
    arguments: tuple[str, ...] = ()
    # Probes of the agent's container: fields of the Kubernetes client and what they hold.
    probes: tuple[tuple[str, Any], ...] = ()
    # Whether every KubernetesPodOperator gets `ExeuntCallback`.
    add_callback: bool = False
    # Whether `ExeuntCallback` fails a task whose data did not arrive.
    fail_on_loss: bool = False

    @property
    def drain_seconds(self) -> float:
        """The longest drain in seconds."""
        return parsers.seconds(self.drain_timeout or DRAIN_TIMEOUT)


_PARSERS: dict[str, Parser] = {
    "enabled": parsers.boolean,
    "mode": parsers.one_of("opt-out", "opt-in"),
    "namespaces": parsers.list_of(parsers.name),
    "image": image,
    "image_pull_policy": parsers.one_of("", "Always", "IfNotPresent", "Never"),
    "image_pull_secrets": parsers.list_of(parsers.secret),
    "proxy": parsers.one_of("auto", "native", "keep"),
    "placement": parsers.one_of("auto", "native", "regular"),
    "share_processes": parsers.one_of("always", "unless-root", "never"),
    "uid": parsers.uid,
    "seccomp": parsers.one_of("RuntimeDefault", "none"),
    "endless_helpers": parsers.list_of(parsers.name),
    "quit_endpoints": parsers.list_of(helper_rules.endpoint),
    "quit_signals": parsers.list_of(helper_rules.signal),
    "also_wait": parsers.list_of(helper_rules.container),
    "signal_route": parsers.one_of("annotation", "service-entry"),
    "signal_port": parsers.port,
    "module": parsers.one_of("none", "configMap", "image"),
    "drain_timeout": parsers.optional(parsers.duration),
    "grace_period": parsers.grace_period,
    "cpu_request": quantity.cpu,
    "cpu_limit": quantity.cpu,
    "memory_request": quantity.memory,
    "memory_limit": quantity.memory_limit,
    "labels": labels,
    "arguments": arguments,
    "probes": probes,
    "add_callback": parsers.boolean,
    "fail_on_loss": parsers.boolean,
}
NAMES = tuple(field.name for field in fields(Settings))


# A mistake in one of these leaves it at its default, and everything else in force. In any other setting a default could give pods
# an agent that the user did not want, or one that the cluster refuses together with its pod.
FORGIVEN = (
    "image_pull_policy",
    "proxy",
    "placement",
    "endless_helpers",
    "quit_endpoints",
    "quit_signals",
    "also_wait",
    "signal_route",
    "signal_port",
    "module",
    "drain_timeout",
    "grace_period",
    "labels",
    "arguments",
    "add_callback",
    "fail_on_loss",
)
# Airflow's ways to get a value from a command or from a store of secrets.
_INDIRECT = ("_cmd", "_secret")


def read(texts: Mapping[str, str]) -> tuple[Settings, list[str]]:
    """The settings that `texts` describes, and the mistakes that leave a default in force.

    `InvalidSettings` if there is any other mistake.
    """
    mistakes, values, is_off = [], {}, False
    for name in texts:
        if name not in _PARSERS:
            meant, mistake = _unknown(name)
            mistakes.append(mistake)
            is_off |= meant is not None and meant not in FORGIVEN
    for name, parse in _PARSERS.items():
        if name in texts:
            try:
                values[name] = parse(texts[name].strip())
            except ValueError as problem:
                mistakes.append(f"[{SECTION}] {name} is {texts[name]!r}: {problem}")
                is_off |= name not in FORGIVEN
    settings = Settings(**values)
    if not is_off:
        contradictions = resources.contradictions(settings)
        mistakes += [f"[{SECTION}] {one}" for one in contradictions]
        is_off = bool(contradictions)
    if is_off:
        raise InvalidSettings(mistakes)
    return settings, mistakes


def _unknown(name: str) -> tuple[str | None, str]:
    """The setting that was probably meant by an unknown name, and the sentence about it."""
    for suffix in _INDIRECT:
        base = name.removesuffix(suffix)
        if base != name and base in NAMES:
            reason = "has no effect, because Airflow does so for its own secrets only"
            return base, f"[{SECTION}] {name} {reason}: give {base} itself"
    meant = next(iter(difflib.get_close_matches(name, NAMES, 1)), None)
    question = f"did you mean {meant}?" if meant else f"must be one of {', '.join(NAMES)}"
    return meant, f"[{SECTION}] {name} is not known: {question}"


def source() -> dict[str, str]:
    """The texts in Airflow's configuration, from its file and from the environment."""
    # Everything above also works without Airflow.
    from airflow.configuration import conf
    from airflow.exceptions import AirflowConfigException

    # Airflow lists the names of a section from its file and its providers. Names that are only in the environment must be found
    # there.
    prefix = f"AIRFLOW__{SECTION.upper()}__"
    names = {*NAMES, *(name.removeprefix(prefix).lower() for name in os.environ if name.startswith(prefix))}
    # It fails on a name with _cmd, which is in the environment and is reported as a mistake.
    with contextlib.suppress(AirflowConfigException):
        names |= set(conf.getsection(SECTION) or {})
    texts = {name: conf.get(SECTION, name, fallback=None) for name in sorted(names)}
    return {name: text for name, text in texts.items() if text is not None}
