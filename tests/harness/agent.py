"""The agent as it is shipped, watching a task."""

import contextlib
import secrets
from pathlib import Path
from typing import Any

from . import verdict
from .child import Child
from .network import HOST, Network
from .sidecar import Places
from .wait import until


class Agent(Child):
    """`exeunt-agent watch`: at its post when the constructor returns, so the task may begin."""

    def __init__(
        self,
        binary: Path,
        folder: Path,
        *flags: str,
        network: Network = HOST,
        uid: int | None = None,
    ) -> None:
        """Starts it on a task that is already there."""
        self.termination_log = folder / f"termination-log-{secrets.token_hex(4)}"
        # kubelet makes it, writable for the container's user.
        self.termination_log.touch()
        self.termination_log.chmod(0o666)
        argv: list[str | Path] = [binary, "watch", *flags]
        argv += ["--termination-log", self.termination_log]
        super().__init__(argv, folder / "agent.log", network=network, container="exeunt", uid=uid, reports=False)
        until("the agent watches", self._watches)

    def _watches(self) -> bool:
        if not self.running:
            raise AssertionError(f"the agent ended before its task; {self.describe()}")
        return any("pidfd" in target for target in _open_files(self.pid))

    def verdict(self, within: float = 30.0) -> Any:
        """What it wrote to the termination log; waits for its end."""
        self.wait(within)
        return verdict.check(self.termination_log.read_text())


def flags(places: Places, proxy_pid: int) -> list[str]:
    """What an agent outside of a pod has to be told: ports that are not Istio's, and which process is the proxy."""
    host, port = places.signal
    argv = ["--signal-address", host, "--signal-port", str(port)]
    argv += ["--admin-port", str(places.admin[1]), "--status-port", str(places.pilot_agent[1])]
    return [*argv, "--proxy-pid", str(proxy_pid)]


def _open_files(pid: int) -> list[str]:
    targets = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        # One may be closed since it was listed.
        with contextlib.suppress(FileNotFoundError):
            targets.append(str(link.readlink()))
    return targets
