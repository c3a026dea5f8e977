"""What is said of a pod's helpers: the containers beside the task that keep it. The agent reads these lists itself.

A pod's annotations count before the settings, which hold for all pods.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exeunt_airflow import container_field, main_containers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubernetes.client import V1Pod

    from exeunt_airflow.settings import Settings

# The variables of the agent, in the order of their names, and the annotations of the pod. No list is an argument of the agent:
# Airflow looks for the shell of its XCom helper by the letters "sh" in the arguments of every process.
_VARIABLES = {
    "EXEUNT_ALSO_WAIT": "exeunt.dev/also-wait",
    "EXEUNT_QUIT_ENDPOINT": "exeunt.dev/quit-endpoints",
    "EXEUNT_QUIT_SIGNAL": "exeunt.dev/quit-signals",
}
_ENDS = ("EXEUNT_QUIT_ENDPOINT", "EXEUNT_QUIT_SIGNAL")


@dataclass(frozen=True)
class Helpers:
    """The variables that the agent gets, each with its value."""

    variables: tuple[tuple[str, str], ...]

    @property
    def are_to_end(self) -> bool:
        """Whether the agent ends a helper. For that it must see the processes: kubelet would wait for the helper, too."""
        return any(name in _ENDS for name, _ in self.variables)


def of(pod: "V1Pod", settings: "Settings") -> Helpers:
    """The helpers that the annotations name, and those of the settings that are in this pod."""
    annotations = pod.metadata.annotations or {}
    told = {variable: annotations.get(annotation, "") for variable, annotation in _VARIABLES.items()}
    # The pod has its own word on these.
    decided = {*main_containers.named(annotations), *(_container(rule) for text in told.values() for rule in text.split(","))}
    left = {container_field.name(one) for one in pod.spec.containers or []} - decided
    for variable, rules in _of_all_pods(settings).items():
        told[variable] = ",".join(filter(None, (told[variable], *(rule for rule in rules if _container(rule) in left))))
    return Helpers(tuple((variable, text) for variable, text in told.items() if text))


def _of_all_pods(settings: "Settings") -> "dict[str, Iterable[str]]":
    return {
        "EXEUNT_ALSO_WAIT": settings.also_wait,
        "EXEUNT_QUIT_ENDPOINT": settings.quit_endpoints,
        "EXEUNT_QUIT_SIGNAL": settings.quit_signals,
    }


def _container(rule: str) -> str:
    """The container of a rule, or words that name none."""
    return rule.partition("://")[0].partition("=")[0].strip()
