"""A task: the process of a pod's main container. It starts, an agent may watch it, then it begins to work."""

from pathlib import Path

from .child import Child
from .network import HOST, Address, Network
from .paths import PROGRAMS, PYTHON


class Task(Child):
    """A process that waits for `begin`, works and ends. `programs/task.py` explains the options."""

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
        """Starts the task and waits until it is ready to begin; `size` is in bytes per connection."""
        argv: list[str | Path] = [*PYTHON, PROGRAMS / "task.py", what]
        if to is not None:
            argv += ["--to", f"{to[0]}:{to[1]}"]
        argv += ["--bytes", str(size), "--connections", str(connections), "--path", path]
        argv += ["--exit", str(exit_code), "--killed-by", str(killed_by)]
        if uid is not None:
            # The program changes the user itself, before it opens a socket: that user may be unable to run this interpreter.
            argv += ["--uid", str(uid)]
        super().__init__(argv, folder / f"task-{what}.log", network=network, container=container)
        self.report("ready")

    def begin(self) -> None:
        """Lets the task work."""
        self.send_line("go")
