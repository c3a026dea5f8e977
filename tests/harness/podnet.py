"""The network of a pod: a veth pair to the outside, and Istio's capture rules; needs root."""

import shutil
import socket
from collections.abc import Sequence

from .netns import Namespace
from .paths import FIXTURES, Missing

# The pod's address in the recorded configurations (INSTANCE_IPS), and the address of its node.
POD = "10.5.0.2"
OUTSIDE = "10.5.0.1"
# The same in a pod that has IPv6, and the address of backend.example there.
POD_V6 = "fd00:5::2"
OUTSIDE_V6 = "fd00:5::1"
BACKEND_V6 = "fd00:99::10"
# What the agent connects to when it asks whether the pod is captured, for each version of IP. No machine has these addresses.
NOWHERE = {4: "192.0.2.190", 6: "2001:db8::c000:2be"}


class Outside:
    """A namespace without containers and users: for example the network outside of the pod, with upstreams and remote clients."""

    starts_child = False

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def command(self, argv: Sequence[str], *, container: str, uid: int | None, tell: int) -> list[str]:  # noqa: ARG002
        """`nsenter`, which executes `argv` in its own place; container and user have no meaning here."""
        return ["nsenter", f"--net={self._namespace.path}", "--", *argv]

    def socket(self, family: int = socket.AF_INET) -> socket.socket:
        """A new TCP socket."""
        return self._namespace.socket(family)


def cable(pod: Namespace, world: Namespace) -> None:
    """Connects the network of a pod to the outside."""
    pod.ip("link", "add", "eth0", "type", "veth", "peer", "name", "pod0", "netns", world.name)
    pod.ip("address", "add", f"{POD}/24", "dev", "eth0")
    world.ip("address", "add", f"{OUTSIDE}/24", "dev", "pod0")
    pod.ip("link", "set", "eth0", "up")
    world.ip("link", "set", "pod0", "up")
    # A destination without a route cannot be captured: connect fails before the nat table sees it.
    pod.ip("route", "add", "default", "via", OUTSIDE)


def capture(namespace: Namespace) -> None:
    """Sets Istio's capture rules, as istio-init does."""
    restore(namespace, (FIXTURES / "iptables.rules").read_text())


def restore(namespace: Namespace, rules: str, *, version: int = 4) -> None:
    """Replaces the tables that are in `rules`, which are in the form of iptables-save, for this version of IP."""
    name = "iptables" if version == 4 else "ip6tables"
    errors = []
    # A kernel has one of the two backends or both.
    for tool in (f"{name}-nft-restore", f"{name}-legacy-restore", f"{name}-restore"):
        if shutil.which(tool) is None:
            continue
        run = namespace.run(tool, feed=rules.encode())
        if run.returncode == 0:
            return
        errors.append(f"{tool}: {run.stderr.decode().strip()}")
    raise Missing(f"{name} does not accept these rules on this machine: {'; '.join(errors)}")
