"""A pod without a cluster: the namespaces that kubelet would make, Istio's capture rules, and the outside; needs root."""

import contextlib
import errno
import os
import secrets
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from .child import Child
from .closing import Closing
from .netns import Namespace
from .network import HOST, Network
from .paths import PROGRAMS, PYTHON, Missing
from .podnet import BACKEND_V6, NOWHERE, OUTSIDE_V6, POD_V6, Outside, cable, capture, restore

# The users: the injector's for the proxy, one for the task, and the agent's own.
PROXY_UID = 1337
TASK_UID = 1000
AGENT_UID = 15190
SIGNAL_PORT = 15190


class Pod(Closing):
    """A network with capture, and a PID namespace that the pod's containers share (`shareProcessNamespace`).

    A veth pair connects the network to a second namespace, because the socket tables of a pod do not show the remote sockets.
    """

    starts_child = True

    def __init__(self, folder: Path) -> None:
        """Makes the pod, or raises `Missing` with what this machine lacks; kubelet's files go to `folder`."""
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
            # When this process is killed, the kernel kills every process in its PID namespace.
            unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--", *PYTHON, str(PROGRAMS / "pause.py")]
            pause = ["nsenter", f"--net={self.namespace.path}", "--", *unshare]
            self._pause = stack.enter_context(Child(pause, folder / "pause.log", network=HOST))
            self._pause.report("ready")
            self._stack = stack.pop_all()

    def command(self, argv: Sequence[str], *, container: str, uid: int | None, tell: int) -> list[str]:
        """The command that runs `argv` as the first process of a container; see `programs/container.py`."""
        message = self._folder / container / secrets.token_hex(4)
        message.parent.mkdir(parents=True, exist_ok=True)
        message.touch()
        # Like kubelet: a container of any user can write to it.
        message.chmod(0o666)
        start = [*PYTHON, str(PROGRAMS / "container.py"), "--pod", str(self._pause.pid), "--tell", str(tell)]
        start += ["--message", str(message), "--mount-at", str(self._mount_point)]
        if uid is not None:
            start += ["--uid", str(uid)]
        return [*start, "--", *argv]

    def add_ipv6(self) -> None:
        """Adds IPv6 addresses, without capture: the backend's address is the pod's own, and the proxy listens there."""
        self.namespace.ip("address", "add", f"{BACKEND_V6}/128", "dev", "lo", "nodad")
        self.namespace.ip("address", "add", f"{POD_V6}/64", "dev", "eth0", "nodad")
        self.namespace.ip("-6", "route", "add", "default", "via", OUTSIDE_V6, "dev", "eth0")
        self._world.ip("address", "add", f"{OUTSIDE_V6}/64", "dev", "pod0", "nodad")

    def remove_ipv4(self) -> None:
        """Removes all IPv4 addresses, that of loopback included."""
        self.namespace.ip("-4", "address", "flush", "dev", "eth0")
        self.namespace.ip("-4", "address", "flush", "dev", "lo")

    def captures(self, *rules: str, version: int = 4) -> None:
        """Replaces the capture rules for one version of IP; without rules nothing is captured."""
        restore(self.namespace, "\n".join(["*nat", *rules, "COMMIT", ""]), version=version)

    def refuse_outside(self, version: int) -> None:
        """Makes the first router refuse every connection that leaves the pod, by RST."""
        family = {4: "ipv4/conf/all/forwarding", 6: "ipv6/conf/all/forwarding"}[version]
        self._world.run("sh", "-c", f"echo 1 >/proc/sys/net/{family}", feed=b"")
        # Only what has a route is forwarded.
        self._world.ip(f"-{version}", "route", "replace", "default", "dev", "pod0")
        rule = "-A FORWARD -p tcp -j REJECT --reject-with tcp-reset"
        restore(self._world, f"*filter\n{rule}\nCOMMIT\n", version=version)

    def is_refused(self, version: int) -> bool:
        """Whether an ordinary connection to an address that no machine has is refused."""
        with self.socket(socket.AF_INET if version == 4 else socket.AF_INET6) as client:
            client.settimeout(5)
            return client.connect_ex((NOWHERE[version], SIGNAL_PORT)) == errno.ECONNREFUSED

    def unplug(self) -> None:
        """Disconnects the pod: packets are lost, and neither side gets an error."""
        self._world.ip("link", "set", "pod0", "down")

    def plug_in(self) -> None:
        """Connects the pod again."""
        self._world.ip("link", "set", "pod0", "up")

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A new TCP socket in the pod."""
        return self.namespace.socket(family)

    def close(self) -> None:
        """Ends every process in the pod and deletes its namespaces."""
        self._stack.close()


def unavailable() -> str:
    """Why this machine cannot make a pod; empty if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    missing = [tool for tool in ("ip", "nsenter", "unshare", "iptables-restore") if shutil.which(tool) is None]
    return f"not installed: {', '.join(missing)} (Debian: iproute2, util-linux, iptables)" if missing else ""
