"""The built agent, watching a task."""

import json
import secrets
from pathlib import Path
from typing import Any

from . import messages, verdict
from .child import Child
from .network import HOST, Network
from .process import pidfds
from .sidecar import Places
from .wait import until


class Agent(Child):
    """`exeunt-agent watch`. The constructor returns when the agent watches its task, so the task may begin."""

    def __init__(
        self,
        binary: Path,
        folder: Path,
        *flags: str,
        network: Network = HOST,
        uid: int | None = None,
    ) -> None:
        """Starts the agent; its task must exist already."""
        self.termination_log = folder / f"termination-log-{secrets.token_hex(4)}"
        # Like kubelet: the file exists, and the container's user can write to it.
        self.termination_log.touch()
        self.termination_log.chmod(0o666)
        argv: list[str | Path] = [binary, "watch", *flags]
        argv += ["--termination-log", self.termination_log]
        super().__init__(argv, folder / "agent.log", network=network, container="exeunt", uid=uid, reports=False)
        until("the agent watches its task", self._watches)

    def _watches(self) -> bool:
        if not self.running:
            raise AssertionError(f"the agent ended before its task; {self.describe()}")
        return pidfds(self.pid) > 0

    def has_told_envoy(self) -> bool:
        """Whether it has told Envoy how to send spans: after that it asks nothing until the end of its task."""
        return messages.HAS_TOLD_ENVOY in self.log.read_text()

    def verdict(self, within: float = 30.0) -> Any:
        """Waits for the agent's end and returns the verdict from its termination log, checked against its schema."""
        return verdict.check(self._message(within))

    def unchecked_verdict(self, within: float = 30.0) -> Any:
        """As `verdict`, for a program that runs without jsonschema: the check would also delay what it measures."""
        return json.loads(self._message(within))

    def _message(self, within: float) -> str:
        self.wait(within)
        return self.termination_log.read_text()


def flags(places: Places, proxy_pid: int) -> list[str]:
    """The options that an agent needs outside of a pod: the test's ports instead of Istio's, and the process of the proxy."""
    host, port = places.signal
    argv = ["--signal-address", host, "--signal-port", str(port)]
    argv += ["--admin-port", str(places.admin[1]), "--status-port", str(places.pilot_agent[1])]
    return [*argv, "--proxy-pid", str(proxy_pid)]
