"""What a pod says of its helpers: the containers beside the task that keep it. The agent reads these lists itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """The pod's own word."""

    # The variables that the agent gets, each with its value.
    variables: tuple[tuple[str, str], ...]

    @property
    def are_to_end(self) -> bool:
        """Whether the agent ends a helper. For that it must see the processes: kubelet would wait for the helper, too."""
        return any(name in _ENDS for name, _ in self.variables)


def of(annotations: "Mapping[str, str]") -> Helpers:
    """The helpers that the annotations name."""
    told = ((variable, annotations.get(annotation)) for variable, annotation in _VARIABLES.items())
    return Helpers(tuple((variable, text) for variable, text in told if text))
