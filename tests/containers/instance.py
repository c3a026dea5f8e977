"""One run of a container: from its start to its end. A restarted container is another one."""

import contextlib
import secrets
import signal
from pathlib import Path
from typing import Any

from containers.podman import Podman
from containers.spec import Container
from harness import verdict
from harness.child import Child, Ending, Report
from harness.wait import TooLate


class Instance:
    """A real container. `ending` is the end of its first process, to the millisecond."""

    def __init__(self, podman: Podman, pod: str, container: Container, messages: Path, log: Path) -> None:
        """Starts it in the pod with the id `pod`; `messages` is kubelet's folder of the pod's containers."""
        self.container = container
        self.log = log
        self._sent: set[signal.Signals] = set()
        # By this file's place the agent knows a container (kubernetes pkg/kubelet/kubelet_pods.go, `makeMounts`). Kubelet makes
        # it writable for any user.
        self.message = messages / container.name / secrets.token_hex(4)
        self.message.parent.mkdir(parents=True, exist_ok=True)
        self.message.touch()
        self.message.chmod(0o666)
        words = ["--pod", pod, "--user", f"{container.user}:{container.user}", "--interactive"]
        words += ["--read-only", "--read-only-tmpfs=false", "--cap-drop", "all", "--security-opt", "no-new-privileges"]
        words += ["--volume", f"{self.message}:/dev/termination-log"]
        for mount in container.mounts:
            words += ["--volume", f"{mount.source}:{mount.target}:{'rw' if mount.writable else 'ro'}"]
        for name, value in container.environment.items():
            words += ["--env", f"{name}={value}"]
        self.id = podman("create", *words, "--rootfs", str(container.root), *container.command)
        # Between the two the process is there and is still the runtime's own, as under containerd.
        podman("init", self.id)
        self.pid = int(podman("inspect", "--format", "{{.State.Pid}}", self.id))
        self.ending = Ending(self.pid)
        start = podman.command("start", "--attach", "--interactive", "--sig-proxy=false", self.id)
        self._attached = Child(start, log, reports=container.reports)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.ending.at is None

    def exit_code(self, within: float = 30.0) -> int:
        """Its exit code, 128 and the signal's number for a signal; waits for its end."""
        try:
            self.ending.wait(within)
        except TooLate as late:
            raise TooLate(f"{self.container.name}: {late}; {self.describe()}") from None
        return self._attached.wait()

    def ended_at(self, within: float = 30.0) -> float:
        """When it ended; waits for it."""
        self.exit_code(within)
        assert self.ending.at is not None
        return self.ending.at

    def send(self, number: signal.Signals) -> None:
        """A signal to its first process, as the runtime sends it."""
        self._sent.add(number)
        self.ending.send(number)

    def was_sent(self, number: signal.Signals) -> bool:
        """Whether it was sent that signal."""
        return number in self._sent

    def report(self, event: str, within: float = 10.0) -> Report:
        """The first report of `event`; waits for it."""
        return self._attached.report(event, within)

    @property
    def reports(self) -> list[Report]:
        """What it has reported so far."""
        return self._attached.reports

    def say(self, line: str) -> None:
        """Writes a line to its stdin."""
        self._attached.say(line)

    def said(self) -> str:
        """What it has written to stderr so far, and to stdout unless it reports there."""
        return self.log.read_text(errors="replace")

    def watches(self) -> int:
        """How many processes its first process holds by a pidfd."""
        count = 0
        for link in Path(f"/proc/{self.pid}/fd").iterdir():
            # One may be closed since it was listed.
            with contextlib.suppress(FileNotFoundError):
                count += "pidfd" in str(link.readlink())
        return count

    def wakes(self) -> int:
        """How often its first process has slept and was woken."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches:"))

    def termination_message(self) -> Any:
        """What it has left for kubelet, as JSON."""
        return verdict.check(self.message.read_text())

    def describe(self) -> str:
        """What became of it, for a failure."""
        return f"{self.container.name}: {self._attached.describe()}"

    def close(self) -> None:
        """Ends what attends it; the pod has been deleted."""
        self._attached.stop()
        self.ending.close()
