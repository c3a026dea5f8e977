"""A pod without a cluster: namespaces as kubelet makes them, with Istio's own capture rules, and the world outside. Root only."""

import contextlib
import os
import secrets
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from .child import Child
from .netns import Namespace
from .network import HOST, Network
from .paths import FIXTURES, PROGRAMS, PYTHON, Missing

# Who is who: the injector's user for the proxy, one for the task, and the agent's own.
PROXY_UID = 1337
TASK_UID = 1000
AGENT_UID = 65532

# The pod's address in the frozen configurations (INSTANCE_IPS), and the node it is plugged into.
POD = "10.5.0.2"
OUTSIDE = "10.5.0.1"
# The same in a pod that has IPv6, and backend.example's address there.
POD_V6 = "fd00:5::2"
OUTSIDE_V6 = "fd00:5::1"
BACKEND_V6 = "fd00:99::10"


class Outside:
    """A namespace without containers and users, such as the world outside of a pod, where upstreams and remote clients are."""

    stays_outside = False

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def command(self, argv: Sequence[str], *, container: str, uid: int | None, tell: int) -> list[str]:  # noqa: ARG002
        """`nsenter` becomes the command; there are no containers here, and no users."""
        return ["nsenter", f"--net={self._namespace.path}", "--", *argv]

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A TCP socket."""
        return self._namespace.socket(family)


class Pod:
    """One pod: a network with capture, and a PID namespace that its containers share (`shareProcessNamespace`).

    A veth pair plugs its network into a second namespace, because a pod's socket tables do not show the far end's sockets.
    """

    stays_outside = True

    def __init__(self, folder: Path) -> None:
        """Builds it, or raises `Missing` with what this machine lacks; `folder` takes kubelet's files."""
        why_not = unavailable()
        if why_not:
            raise Missing(why_not)
        self._folder = folder / "pods" / "5b1c0f9e-0000-4000-8000-000000000000" / "containers"
        self._mount_point = folder / "termination-log"
        self._mount_point.touch()
        with contextlib.ExitStack() as stack:
            self.namespace = stack.enter_context(Namespace("pod"))
            world = stack.enter_context(Namespace("out"))
            self.outside: Network = Outside(world)
            self._world = world
            cable(self.namespace, world)
            capture(self.namespace)
            # Killed with its parent, and with it everything in the PID namespace.
            unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *PYTHON, str(PROGRAMS / "pause.py")]
            pause = ["nsenter", f"--net={self.namespace.path}", "--", *unshare]
            self._pause = stack.enter_context(Child(pause, folder / "pause.log", network=HOST))
            self._pause.report("ready")
            self._stack = stack.pop_all()

    def command(self, argv: Sequence[str], *, container: str, uid: int | None, tell: int) -> list[str]:
        """The command that runs `argv` as a container's root process; see `programs/container.py`."""
        message = self._folder / container / secrets.token_hex(4)
        message.parent.mkdir(parents=True, exist_ok=True)
        message.touch()
        # Kubelet makes it so, for a container of any user.
        message.chmod(0o666)
        start = [*PYTHON, str(PROGRAMS / "container.py"), "--pod", str(self._pause.pid), "--tell", str(tell)]
        start += ["--message", str(message), "--mount-at", str(self._mount_point)]
        if uid is not None:
            start += ["--uid", str(uid)]
        return [*start, "--", *argv]

    def add_ipv6(self) -> None:
        """Gives it IPv6, too, without capture: the backend's address is its own, and its proxy listens there."""
        self.namespace.ip("address", "add", f"{BACKEND_V6}/128", "dev", "lo", "nodad")
        self.namespace.ip("address", "add", f"{POD_V6}/64", "dev", "eth0", "nodad")
        self._world.ip("address", "add", f"{OUTSIDE_V6}/64", "dev", "pod0", "nodad")

    def remove_ipv4(self) -> None:
        """Leaves it none, not even loopback's."""
        self.namespace.ip("-4", "address", "flush", "dev", "eth0")
        self.namespace.ip("-4", "address", "flush", "dev", "lo")

    def unplug(self) -> None:
        """Pulls the cable: packets are lost, and nobody is told."""
        self._world.ip("link", "set", "pod0", "down")

    def plug_in(self) -> None:
        """Puts the cable back."""
        self._world.ip("link", "set", "pod0", "up")

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A TCP socket in the pod."""
        return self.namespace.socket(family)

    def close(self) -> None:
        """Ends every process in it and deletes it."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def unavailable() -> str:
    """Why this tier cannot run here; empty if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "nsenter", "unshare", "iptables-restore") if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)} (Debian: iproute2, util-linux, iptables)" if missing else ""


def cable(pod: Namespace, world: Namespace) -> None:
    """Plugs a pod's network into the world."""
    pod.ip("link", "add", "eth0", "type", "veth", "peer", "name", "pod0", "netns", world.name)
    pod.ip("address", "add", f"{POD}/24", "dev", "eth0")
    world.ip("address", "add", f"{OUTSIDE}/24", "dev", "pod0")
    pod.ip("link", "set", "eth0", "up")
    world.ip("link", "set", "pod0", "up")
    # Whatever has no route cannot be captured either: connect fails before the nat table sees it.
    pod.ip("route", "add", "default", "via", OUTSIDE)


def capture(namespace: Namespace) -> None:
    """Sets Istio's rules, as istio-init does."""
    rules = (FIXTURES / "iptables.rules").read_bytes()
    refusals = []
    # Which of the two the kernel has differs from machine to machine.
    for tool in ("iptables-nft-restore", "iptables-legacy-restore", "iptables-restore"):
        if shutil.which(tool) is None:
            continue
        run = namespace.run(tool, feed=rules)
        if run.returncode == 0:
            return
        refusals.append(f"{tool}: {run.stderr.decode().strip()}")
    raise Missing(f"no iptables takes Istio's rules here: {'; '.join(refusals)}")
