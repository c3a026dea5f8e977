"""What the agent costs a pod, counted and not timed. In a pod of namespaces; needs root."""

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from harness.agent import Agent
from harness.pod import Pod
from harness.scene import MakeScene, Scene
from harness.task import Task
from harness.wait import until

# While the task runs there is nothing that could wake it, so that a few seconds show as much as a minute.
_WATCHED_S = 3.0
# From the task's death to the first byte of the signal.
_MOST_SYSTEM_CALLS = 12


def test_while_the_task_runs_the_agent_is_never_woken(pod: Pod, make_scene: MakeScene) -> None:
    scene, task, agent = _at_its_post(pod, make_scene)
    before = _switches(agent.pid)
    time.sleep(_WATCHED_S)
    assert _switches(agent.pid) == before
    task.begin()
    assert agent.verdict()["proxy"] == "gone", scene.describe()


def test_few_system_calls_lie_between_the_tasks_death_and_the_signal(pod: Pod, make_scene: MakeScene, folder: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is missing, and could not be installed")
    _, task, agent = _at_its_post(pod, make_scene)
    log = folder / "strace.log"
    with subprocess.Popen([strace, "-q", "-s", "32", "-o", str(log), "-p", str(agent.pid)]) as tracer:
        try:
            until("strace is attached", lambda: _status(agent.pid, "TracerPid") != 0)
            task.begin()
            assert agent.verdict()["proxy"] == "gone"
        finally:
            tracer.send_signal(signal.SIGTERM)
    calls = [line for line in log.read_text().splitlines() if re.match(r"\w+\(|<\.\.\. ", line)]
    woken = next(place for place, call in enumerate(calls) if re.match(r"(p?poll|restart_syscall)\b|<\.\.\. ", call))
    signalled = next(place for place, call in enumerate(calls) if "POST /v1/complete" in call)
    between = calls[woken + 1 : signalled + 1]
    assert len(between) <= _MOST_SYSTEM_CALLS, "\n".join(between)


def _at_its_post(pod: Pod, make_scene: MakeScene) -> tuple[Scene, Task, Agent]:
    """An idle task, and an agent that has found both it and the proxy, and sleeps."""
    scene = make_scene(pod=pod)
    scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    # As an emptyDir is.
    memory = scene.folder / "memory"
    memory.mkdir()
    memory.chmod(0o777)
    agent = scene.agent(task, "--state-dir", str(memory))
    until("the agent sleeps with both processes in hand", lambda: _sleeps(agent.pid))
    return scene, task, agent


def _sleeps(pid: int) -> bool:
    held = sum("pidfd" in str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir())
    # The number of the system call that it is in, else `running`.
    return held >= 2 and Path(f"/proc/{pid}/syscall").read_text().split()[0].isdigit()


def _switches(pid: int) -> int:
    return _status(pid, "voluntary_ctxt_switches") + _status(pid, "nonvoluntary_ctxt_switches")


def _status(pid: int, field: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    (number,) = re.findall(rf"^{field}:\s+(\d+)$", text, re.MULTILINE)
    return int(number)
