"""What kubelet needs to run the containers of a pod."""

from typing import Any, Protocol, runtime_checkable

from .store import Json


class Container(Protocol):
    """One running container."""

    def wait(self) -> int:
        """Waits until it ends. Returns its exit code: 128 and more after a signal."""

    def end(self) -> None:
        """Ends it, as kubelet does when the pod is over."""


class Containers(Protocol):
    """All containers of one pod."""

    def start(self, name: str, spec: Json) -> Container:
        """Starts a container."""

    def begin(self) -> None:
        """Every container has started: lets the main container do its work."""

    def close(self) -> None:
        """Ends everything that still runs."""


@runtime_checkable
class WithCommands(Protocol):
    """Containers that are processes, so that commands can run in them."""

    def execute(self, container: str, argv: list[str]) -> Any:
        """Starts a command in a container. Returns a process with three pipes."""


@runtime_checkable
class WithMessages(Protocol):
    """Containers that may leave a termination message."""

    def message(self, container: str) -> str:
        """The termination message of a container that has ended."""
