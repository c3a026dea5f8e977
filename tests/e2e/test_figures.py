"""What the agent costs a pod, counted and not timed; needs root."""

import re
import shutil
import signal
import subprocess
import time

import pytest

from harness.agent import Agent
from harness.pod import Pod
from harness.process import is_asleep, number, pidfds, switches
from harness.scene import MakeScene, Scene
from harness.task import Task
from harness.wait import until

# Nothing can wake the agent while the task runs, so three seconds show as much as a minute.
_OBSERVED_S = 3.0
# From the task's death to the first byte of the signal.
_MAX_SYSTEM_CALLS = 12
# `SHORTEST_READING_PAUSE` in the agent's proxy/times.rs.
_READING_PAUSE_S = 0.005
# The agent's question to Envoy's admin interface about loggers and tracers.
_QUESTION = "GET /config_dump"
# On a busy machine Envoy may not answer that within the agent's limit. An agent that always asks fails as often as it is tried.
_MOST_ATTEMPTS = 5


def test_while_the_task_runs_the_agent_is_never_woken(pod: Pod, make_scene: MakeScene) -> None:
    scene, task, agent = _attached(pod, make_scene)
    before = switches(agent.pid)
    time.sleep(_OBSERVED_S)
    assert switches(agent.pid) == before
    task.begin()
    assert agent.verdict()["proxy"] == "gone", scene.describe()


def test_few_system_calls_lie_between_the_tasks_death_and_the_signal(pod: Pod, make_scene: MakeScene) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is missing, and could not be installed")
    for _ in range(_MOST_ATTEMPTS):
        between = _between_death_and_signal(pod, make_scene, strace)
        # Envoy did not tell in time, when the agent started, that it buffers no telemetry: so the agent asks again.
        if not any(_QUESTION in call for call in between):
            break
    assert len(between) <= _MAX_SYSTEM_CALLS, "\n".join(between)


def _between_death_and_signal(pod: Pod, make_scene: MakeScene, strace: str) -> list[str]:
    """The agent's system calls after the one in which it sleeps, up to the first byte of the signal."""
    scene, task, agent = _attached(pod, make_scene)
    log = scene.folder / "strace.log"
    with subprocess.Popen([strace, "-q", "-ttt", "-s", "32", "-o", str(log), "-p", str(agent.pid)]) as tracer:
        try:
            until("strace is attached", lambda: number(agent.pid, "TracerPid") != 0)
            task.begin()
            assert agent.verdict()["proxy"] == "gone"
        finally:
            tracer.send_signal(signal.SIGTERM)
    scene.close()
    stamped = re.findall(r"^(\d+\.\d+) (\w+\(.*|<\.\.\. .*)$", log.read_text(), re.MULTILINE)
    calls = [call for _, call in stamped]
    woken = next(place for place, call in enumerate(calls) if re.match(r"(p?poll|restart_syscall)\b|<\.\.\. ", call))
    signalled = next(place for place, call in enumerate(calls) if "POST /v1/complete" in call)
    between = range(woken + 1, signalled + 1)
    # A reading of the sockets that is older than a pause is rightly taken again: on a busy machine, under strace, it can be.
    first, *others = (place for place in between if re.match(r"sendto\(\d+, \[\{nlmsg_len", calls[place]))
    again = next((place for place in others if float(stamped[place][0]) - float(stamped[first][0]) >= _READING_PAUSE_S), first)
    repeated = [place for place in range(first, again) if calls[place].startswith(("sendto(", "recvfrom("))]
    return [calls[place] for place in between if place not in repeated]


def _attached(pod: Pod, make_scene: MakeScene) -> tuple[Scene, Task, Agent]:
    """An idle task, and an agent that has found both the task and the proxy and now sleeps."""
    scene = make_scene(pod=pod)
    # As in a real pod: by these the agent knows at its start that Envoy buffers no telemetry.
    scene.sidecar.discover_listeners()
    scene.envoy(pilot_agent=True)
    task = scene.task("idle")
    # Like an emptyDir: every user can write to it.
    state_dir = scene.folder / "state"
    state_dir.mkdir()
    state_dir.chmod(0o777)
    agent = scene.agent(task, "--state-dir", str(state_dir))
    until("the agent watches both processes", lambda: pidfds(agent.pid) >= 2)
    # The last question to Envoy.
    until("it has told Envoy how to send spans, and sleeps", lambda: agent.has_told_envoy() and is_asleep(agent.pid))
    return scene, task, agent
