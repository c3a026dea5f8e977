"""A task process, as the main container of a pod: started, watched, then told to begin."""

from pathlib import Path

from .child import Child
from .network import HOST, Address, Network
from .paths import PROGRAMS, PYTHON


class Task(Child):
    """A process that waits for `begin`, works and ends; see `programs/task.py` for what the words mean."""

    def __init__(
        self,
        folder: Path,
        what: str = "upload",
        *,
        to: Address | None = None,
        size: int = 0,
        connections: int = 1,
        path: str = "/",
        exit_code: int = 0,
        killed_by: int = 0,
        network: Network = HOST,
        container: str = "base",
        uid: int | None = None,
    ) -> None:
        """Starts it and waits until it is ready to begin; `size` is in bytes per connection."""
        argv: list[str | Path] = [*PYTHON, PROGRAMS / "task.py", what]
        if to is not None:
            argv += ["--to", f"{to[0]}:{to[1]}"]
        argv += ["--bytes", str(size), "--connections", str(connections), "--path", path]
        argv += ["--exit", str(exit_code), "--killed-by", str(killed_by)]
        if uid is not None:
            # The interpreter may lie where that user cannot go (a home folder): it changes the user itself, before any socket.
            argv += ["--uid", str(uid)]
        super().__init__(argv, folder / f"task-{what}.log", network=network, container=container)
        self.report("ready")

    def begin(self) -> None:
        """Lets it work."""
        self.say("go")
