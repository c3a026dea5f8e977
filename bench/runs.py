"""One measurement each. Every measurement has an Envoy of its own; times are in seconds."""

import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from harness import paths
from harness.pod import Pod
from harness.process import rests
from harness.scene import Scene
from harness.wait import until

# crates/pod/examples/reading.rs
_READING = Path(os.environ.get("CARGO_TARGET_DIR") or paths.ROOT / "target") / "release" / "examples" / "reading"
# Far above every figure: only a run that hangs takes so long.
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Upload:
    """How an upload ended."""

    lost: int
    delivered_to_gone: float


def bare_quit(folder: Path, version: str) -> float:
    """From a POST to Envoy's admin interface to Envoy's end: nothing can be faster."""
    with Scene(folder, version=version) as scene:
        envoy = scene.envoy()
        asked_at = time.monotonic()
        envoy.admin("/quitquitquit", "POST")
        return envoy.gone(_PATIENCE_S) - asked_at


def idle_drain(folder: Path, version: str) -> tuple[float, int]:
    """From the end of a task that has sent nothing to Envoy's end; and how much memory the agent used before."""
    with Scene(folder, version=version) as scene:
        scene.sidecar.discover_listeners()
        envoy = scene.envoy()
        task = scene.task("idle")
        agent = scene.agent(task)
        until("the agent sleeps", lambda: rests(agent.pid))
        resident = resident_bytes(agent.pid)
        task.begin()
        task.wait()
        gone_at = envoy.gone(_PATIENCE_S)
        agent.wait(_PATIENCE_S)
        return gone_at - task.ending.wait(0), resident


def idle_drain_in_a_pod(folder: Path, version: str, *flags: str, plugin: bool) -> float:
    """The same time in a pod with Istio's capture rules, with or without the plugin and its signal listener. Needs root."""
    # The users of the pod need the folder.
    folder.chmod(0o777)
    with Pod(folder) as pod, Scene(folder, version=version, pod=pod) as scene:
        # Nobody has the address of the ServiceEntry, and most networks drop packets to it without a word.
        vanish = ["ip", "route", "add", "blackhole", "192.0.2.190/32"]
        subprocess.run(pod.outside.command(vanish, container="", uid=None, tell=0), check=True)
        if not plugin:
            listeners = scene.sidecar.document["static_resources"]["listeners"]
            signal_port = scene.sidecar.places.signal[1]
            listeners[:] = [one for one in listeners if one["address"]["socket_address"]["port_value"] != signal_port]
        scene.sidecar.discover_listeners()
        envoy = scene.envoy(pilot_agent=True)
        task = scene.task("idle")
        agent = scene.agent(task, *flags)
        until("the agent sleeps", lambda: rests(agent.pid))
        task.begin()
        task.wait()
        gone_at = envoy.gone(_PATIENCE_S)
        agent.wait(_PATIENCE_S)
        return gone_at - task.ending.wait(0)


def told_drain_in_a_pod(folder: Path, version: str, *, plugin: bool) -> float:
    """From SIGTERM to the end of the agent, beside a native proxy with nothing in flight. Needs root."""
    # The users of the pod need the folder.
    folder.chmod(0o777)
    with Pod(folder) as pod, Scene(folder, version=version, pod=pod) as scene:
        scene.sidecar.injected("native", "base")
        if not plugin:
            scene.sidecar.without_signal_listener()
        scene.sidecar.discover_listeners()
        scene.envoy(pilot_agent=True)
        agent = scene.native_agent()
        until("the agent sleeps", lambda: rests(agent.pid))
        told_at = time.monotonic()
        agent.terminate()
        return agent.ending.wait(_PATIENCE_S) - told_at


def slow_upload(folder: Path, version: str, size: int, rate: int) -> Upload:
    """A task uploads and exits at once; the server reads slowly."""
    with Scene(folder, version=version) as scene:
        upstream = scene.upstream(rate=rate)
        envoy = scene.envoy()
        task = scene.task(size=size)
        agent = scene.agent(task)
        task.begin()
        task.report("written", _PATIENCE_S)
        (delivery,) = upstream.deliveries(within=_PATIENCE_S)
        gone_at = envoy.gone(_PATIENCE_S)
        agent.wait(_PATIENCE_S)
        # The server may read the last byte of a fast upload before the task has ended. No proxy can leave earlier than that.
        return Upload(size - delivery.bytes, gone_at - max(delivery.last_at, task.ending.wait(0)))


def reading(connections: int) -> list[float]:
    """The milliseconds of a processor that each of some readings takes, beside so many idle connections."""
    # In a network of its own there are no sockets of others; that needs root.
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$0" "$@"'] if os.geteuid() == 0 else []
    command = [*alone, str(_READING), str(connections), "15"]
    # The connections take the most time.
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=4 * _PATIENCE_S)
    return [float(line) for line in done.stdout.split()]


def resident_bytes(pid: int) -> int:
    """The resident memory of a process."""
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) * 1024
