"""One run of a container, from its start to its end. After a restart there is a new instance."""

import secrets
import signal
from pathlib import Path
from typing import Any

from containers.podman import Podman
from containers.spec import Container
from harness import process, verdict
from harness.child import Child, Report
from harness.ending import Ending
from harness.wait import until


class Instance:
    """A real container. `ending` observes the end of its first process."""

    def __init__(self, podman: Podman, pod: str, container: Container, messages: Path, hosts: Path, shm: Path, log: Path) -> None:
        """Starts the container in the pod with the id `pod`.

        `messages` is kubelet's folder of the pod's containers, `hosts` the pod's /etc/hosts, and `shm` its /dev/shm.
        """
        self.container = container
        self.log = log
        self._sent: set[signal.Signals] = set()
        # The agent reads the name of a container from this path (kubernetes pkg/kubelet/kubelet_pods.go, `makeMounts`). As in
        # kubelet, any user can write to the file.
        self.message = messages / container.name / secrets.token_hex(4)
        self.message.parent.mkdir(parents=True, exist_ok=True)
        self.message.touch()
        self.message.chmod(0o666)
        words = ["--pod", pod, "--user", f"{container.user}:{container.user}", "--interactive"]
        words += ["--read-only", "--read-only-tmpfs=false"]
        if not container.capabilities:
            words += ["--cap-drop", "all", "--security-opt", "no-new-privileges"]
        if container.seccomp is not None:
            words += ["--security-opt", f"seccomp={container.seccomp}"]
        if container.memory is not None:
            words += ["--memory", f"{container.memory}m", "--memory-swap", f"{container.memory}m"]
        words += ["--volume", f"{self.message}:/dev/termination-log", "--volume", f"{hosts}:/etc/hosts"]
        # One for the whole pod, writable in spite of --read-only.
        words += ["--volume", f"{shm}:/dev/shm"]
        for mount in container.mounts:
            words += ["--volume", f"{mount.source}:{mount.target}:{'rw' if mount.writable else 'ro'}"]
        for name, value in container.environment.items():
            words += ["--env", f"{name}={value}"]
        self.id = podman("create", *words, "--rootfs", str(container.root), *container.command)
        # Between `init` and `start` the process exists and still runs the runtime's own code, as under containerd.
        podman("init", self.id)
        self.pid = int(podman("inspect", "--format", "{{.State.Pid}}", self.id))
        self.ending = Ending(self.pid, self.describe)
        start = podman.command("start", "--attach", "--interactive", "--sig-proxy=false", self.id)
        self._attached = Child(start, log, reports=container.reports)
        # Kubelet goes on only when the runtime has started the container. Before that, a SIGTERM would be lost in a PID namespace
        # of its own, because the runtime's code is process 1 there and has no handler.
        until("the container runs its own program", lambda: not process.name(self.pid).startswith("runc:"), 30)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.ending.at is None

    def exit_code(self, within: float = 30.0) -> int:
        """Waits for the end and returns the exit code: 128 plus the signal's number after a signal."""
        self.ending.wait(within)
        return self._attached.wait()

    def ended_at(self, within: float = 30.0) -> float:
        """Waits for the end and returns its time."""
        self.exit_code(within)
        assert self.ending.at is not None
        return self.ending.at

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the first process, as the runtime does."""
        self._sent.add(number)
        self.ending.send(number)

    def was_sent(self, number: signal.Signals) -> bool:
        """Whether the container was sent that signal."""
        return number in self._sent

    def report(self, event: str, within: float = 10.0) -> Report:
        """Waits for the first report of `event` and returns it."""
        return self._attached.report(event, within)

    @property
    def reports(self) -> list[Report]:
        """The reports so far."""
        return self._attached.reports

    def send_line(self, line: str) -> None:
        """Writes a line to stdin."""
        self._attached.send_line(line)

    def log_text(self) -> str:
        """The text on stderr so far, and that on stdout if the container makes no reports there."""
        return self.log.read_text(errors="replace")

    def watched_processes(self) -> int:
        """How many processes the first process watches."""
        return process.pidfds(self.pid)

    def wakeups(self) -> int:
        """How often the first process has slept and was woken."""
        return process.number(self.pid, "voluntary_ctxt_switches")

    def early_verdict(self) -> Any:
        """Waits until the agent has written a verdict to the termination message while it still drains, and returns it."""
        # The agent writes the file anew each second: a reader can find it empty.
        text = until("there is an early verdict", lambda: next(iter(self.message.read_text().splitlines()), None))
        return verdict.check(text)

    def termination_message(self) -> Any:
        """The verdict in the termination message, checked against its schema."""
        return verdict.check(self.message.read_text())

    def describe(self) -> str:
        """For a failure: the state of the container and the last lines of its log."""
        return f"{self.container.name}: {self._attached.describe()}"

    def close(self) -> None:
        """Ends the attached podman process; the pod must be deleted already."""
        self._attached.stop()
        self.ending.close()
