"""The sandbox of a pod: podman's pod, with a network that is connected to a second namespace outside."""

import contextlib
import os
import secrets
import signal
from dataclasses import dataclass
from pathlib import Path

from containers.instance import Instance
from containers.podman import Podman
from containers.spec import Container
from harness.closing import Closing
from harness.netns import Namespace
from harness.network import Network
from harness.podnet import Outside, cable, capture


@dataclass(frozen=True)
class Process:
    """A process of a pod, with its command line as in `/proc`."""

    pid: int
    uid: int
    command: bytes

    def interrupt(self) -> None:
        """Sends it SIGINT."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGINT)


class Sandbox(Closing):
    """An empty pod with podman's pause process, and with Istio's capture rules if `captured`."""

    def __init__(self, podman: Podman, folder: Path, *, captured: bool, shared: bool) -> None:
        """Makes the sandbox; kubelet's files and the containers' logs go to `folder`.

        `shared` is the pod's `shareProcessNamespace`.
        """
        self.folder = folder
        self._podman = podman
        self._messages = folder / "pods" / "5b1c0f9e-0000-4000-8000-000000000000" / "containers"
        self._hosts = folder / "etc-hosts"
        self._shm = folder / "shm"
        self._shm.mkdir()
        self._shm.chmod(0o1777)
        self._instances: list[Instance] = []
        with contextlib.ExitStack() as stack:
            name = f"exeunt-{secrets.token_hex(3)}"
            share = "net,ipc,pid" if shared else "net,ipc"
            self._pod = podman("pod", "create", "--name", name, "--share", share, "--network", "none")
            stack.callback(self._delete_pod)
            podman("pod", "start", self._pod)
            infra = podman("pod", "inspect", "--format", "{{.InfraContainerID}}", self._pod)
            self._pause = int(podman("inspect", "--format", "{{.State.Pid}}", infra))
            self.namespace = stack.enter_context(Namespace("pod", of=self._pause))
            self._world = stack.enter_context(Namespace("out"))
            self.inside: Network = Outside(self.namespace)
            self.outside: Network = Outside(self._world)
            cable(self.namespace, self._world)
            if captured:
                capture(self.namespace)
            self._stack = stack.pop_all()

    def _delete_pod(self) -> None:
        self._podman("pod", "rm", "--force", "--time", "0", self._pod)
        for instance in self._instances:
            instance.close()

    def write_hosts(self) -> None:
        """Writes the pod's /etc/hosts, always the same."""
        self._hosts.write_text("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")

    def run(self, container: Container) -> Instance:
        """Starts a container."""
        attempt = sum(container.name == known.container.name for known in self._instances) + 1
        log = self.folder / f"{container.name}-{attempt}.log"
        instance = Instance(self._podman, self._pod, container, self._messages, self._hosts, self._shm, log)
        self._instances.append(instance)
        return instance

    def processes_seen_by(self, instance: Instance) -> list[Process]:
        """Every process in the PID namespace of a container, without podman's pause process."""
        ours = Path(f"/proc/{instance.pid}/ns/pid").stat().st_ino
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            # A process may end while the folder is read.
            with contextlib.suppress(OSError):
                if (folder / "ns/pid").stat().st_ino == ours and int(folder.name) != self._pause:
                    found.append(Process(int(folder.name), folder.stat().st_uid, (folder / "cmdline").read_bytes()))
        return found

    def unplug(self) -> None:
        """Removes the network, as kubelet does when the last container has ended: undelivered bytes are lost."""
        self._world.ip("link", "delete", "pod0")

    def close(self) -> None:
        """Ends every process and deletes the sandbox."""
        self._stack.close()
