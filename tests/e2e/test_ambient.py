"""Pods of an ambient mesh: no proxy in the pod, but a stand-in for ztunnel with its sockets in the pod's network; needs root."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.upload import MB
from harness import messages
from harness.child import Child
from harness.paths import PROGRAMS, PYTHON, agent
from harness.pod import Pod
from harness.scene import MakeScene, Scene


@pytest.fixture
def scene(pod: Pod, make_scene: MakeScene, folder: Path) -> Iterator[Scene]:
    """A pod whose traffic ztunnel carries."""
    argv = ["nsenter", f"--net={pod.namespace.path}", "--", *PYTHON, str(PROGRAMS / "ztunnel.py")]
    with Child(argv, folder / "ztunnel.log") as ztunnel:
        ztunnel.report("ready")
        yield make_scene(pod=pod)
        assert ztunnel.running, "ztunnel belongs to the node: the agent must not end it"


def run_agent(pod: Pod, *words: str) -> "subprocess.CompletedProcess[str]":
    """Runs the agent in the pod's network to its end."""
    argv = ["nsenter", f"--net={pod.namespace.path}", "--", str(agent()), *words]
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)


def test_what_ztunnel_has_to_pass_on_is_waited_for(pod: Pod, scene: Scene) -> None:
    upstream = scene.upstream(rate=4 * MB)
    task = scene.task(size=12 * MB, to=upstream.address)
    watching = scene.agent(task)
    task.begin()
    crc = task.report("written")["crcs"][0]
    verdict = watching.verdict()
    # Kubelet removes the network when the last container has ended.
    pod.unplug()
    (delivery,) = upstream.deliveries()
    assert (delivery.bytes, delivery.in_order, delivery.crc) == (12 * MB, True, crc)
    assert (verdict["proxy"], verdict["action"], verdict["route"]) == ("left", "drain", messages.BY_ZTUNNEL)
    assert verdict["undelivered"] == {"connections": 0, "bytes": 0, "atLeast": False}
    assert verdict["decided"].startswith(messages.AMBIENT)


def test_a_dead_receiver_does_not_keep_the_pod(pod: Pod, scene: Scene) -> None:
    upstream = scene.upstream(rate=MB)
    task = scene.task(size=3 * MB, to=upstream.address)
    watching = scene.agent(task, "--stall-timeout", "1s")
    task.begin()
    task.wait()
    pod.unplug()
    verdict = watching.verdict()
    assert watching.wait() == 0
    assert verdict["proxy"] == "left"
    assert verdict["undelivered"]["bytes"] > 0


@pytest.mark.usefixtures("scene")
@pytest.mark.parametrize("verb", [["wait"], ["exec", "--not-ready", "fail", "--", "true"]], ids=["wait", "exec"])
def test_no_command_waits_for_a_proxy_in_the_pod(pod: Pod, verb: list[str]) -> None:
    run = run_agent(pod, *verb)
    assert (run.returncode, run.stdout) == (0, ""), run.stderr


@pytest.mark.usefixtures("scene")
def test_the_plan_names_the_ambient_mesh(pod: Pod) -> None:
    run = run_agent(pod, "--explain")
    assert run.returncode == 0, run.stderr
    assert messages.AMBIENT in run.stdout
    assert messages.PLAN_AMBIENT in run.stdout
    assert messages.PLAN_ADMIN not in run.stdout
