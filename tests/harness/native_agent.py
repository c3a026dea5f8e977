"""The built agent as a native sidecar beside a native proxy: it waits for kubelet's SIGTERM."""

import json
import signal
from pathlib import Path
from typing import Any

from . import messages, verdict
from .child import Child
from .pod import AGENT_UID, Pod
from .wait import until


class NativeAgent(Child):
    """`exeunt-agent`, as the three lines start it. The constructor returns when it waits for SIGTERM."""

    def __init__(self, binary: Path, folder: Path, pod: Pod, *flags: str, name: str = "exeunt") -> None:
        """Starts it in a container called `name`; `flags` are more options."""
        self.message = folder / f"message-{name}"
        self.message.touch()
        self.message.chmod(0o666)
        argv = [binary, *flags, "--termination-log", self.message]
        super().__init__(argv, folder / f"{name}.log", network=pod, container=name, uid=AGENT_UID, reports=False)
        until("the agent waits for SIGTERM", lambda: messages.WAITS_FOR_KUBELET in self.log.read_text(), within=30)

    def terminate(self) -> None:
        """Sends SIGTERM, as kubelet does when all regular containers have ended."""
        self.ending.send(signal.SIGTERM)

    def last_message(self) -> Any:
        """The verdict that kubelet would show now, checked against its schema."""
        return verdict.check(self.message.read_text())

    def has_message(self, **fields: Any) -> bool:
        """Whether the verdict in the file has these fields. A verdict that is being written has none."""
        try:
            written = json.loads(self.message.read_text())
        except ValueError:
            return False
        return all(written.get(name) == value for name, value in fields.items())
