"""An upload through the proxy that is still in progress: most tests of this tier begin with one."""

from dataclasses import dataclass
from typing import Any

from harness.agent import Agent
from harness.delivery import check_all_delivered
from harness.envoy import Envoy
from harness.scene import Scene
from harness.task import Task
from harness.upstream import Upstream

KB = 1_000
MB = 1_000_000


@dataclass(frozen=True)
class Upload:
    """A task that uploads `size` bytes, and the programs that carry them."""

    size: int
    upstream: Upstream
    envoy: Envoy
    task: Task

    def crc(self) -> int:
        """Waits until the task has written everything, and returns the CRC-32 of what it has written."""
        written = self.task.report("written")
        assert (written["bytes"], written["failed"]) == (self.size, "")
        crc: int = written["crcs"][0]
        return crc

    def check_delivered(self, *, crc: int | None = None, within: float = 10.0) -> None:
        """Everything arrives, and only then the proxy ends, within that many seconds after the upload."""
        check_all_delivered(self.upstream, self.envoy, self.size, crc=crc, within=within)


@dataclass(frozen=True)
class WatchedUpload(Upload):
    """An upload of a task that an agent watches."""

    agent: Agent

    def check_delivered(self, *, crc: int | None = None, within: float = 10.0) -> None:
        """As in `Upload`; then the agent exits with 0."""
        super().check_delivered(crc=crc, within=within)
        assert self.agent.wait(within) == 0

    def verdict(self) -> Any:
        """Waits for the agent's end, checks its exit code and returns its verdict."""
        verdict = self.agent.verdict()
        assert self.agent.wait() == 0
        return verdict


def upload(scene: Scene, *, size: int, rate: int = 0, mode: str = "read", pilot_agent: bool = False) -> Upload:
    """Starts an upload of a task that no agent watches."""
    upstream = scene.upstream(rate=rate, mode=mode)
    envoy = scene.envoy(pilot_agent=pilot_agent)
    task = scene.task(size=size)
    task.begin()
    return Upload(size, upstream, envoy, task)


def finished_upload(scene: Scene, *, size: int, rate: int = 0, mode: str = "read", pilot_agent: bool = False) -> Upload:
    """The same, and waits for the end of the task: the proxy may still hold bytes, and no agent tells it anything."""
    started = upload(scene, size=size, rate=rate, mode=mode, pilot_agent=pilot_agent)
    started.task.wait()
    return started


def watched_upload(
    scene: Scene,
    *flags: str,
    size: int,
    pilot_agent: bool = True,
    task: dict[str, Any] | None = None,
    **upstream: Any,
) -> WatchedUpload:
    """Starts an upload of a task that an agent with `flags` watches; `task` and `upstream` are options of the harness."""
    server = scene.upstream(**upstream)
    envoy = scene.envoy(pilot_agent=pilot_agent)
    process = scene.task(size=size, **(task or {}))
    agent = scene.agent(process, *flags)
    process.begin()
    return WatchedUpload(size, server, envoy, process, agent)
