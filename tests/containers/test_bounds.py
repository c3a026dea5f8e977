"""A task makes as many mounts as it can: the list of them is longer than the memory that the agent may have."""

import signal
from pathlib import Path

import pytest

from containers import images
from containers.checks import MB, SIZE, check_delivered, check_proxy_ended_by_itself, check_verdict
from containers.conftest import MakePod
from containers.instance import Instance
from harness import messages

# The memory limit of the samples.
LIMIT_MIB = 16
MOUNTS = 6_000


def test_a_task_with_more_mounts_than_the_agent_has_memory_for_ends_its_pod(make_pod: MakePod) -> None:
    pod = make_pod(agent_memory=LIMIT_MIB, task_seccomp=False)
    upstream = pod.upstream(rate=4 * MB)
    pod.start(*images.program("many_mounts", str(MOUNTS), *pod.upload_command(SIZE)))
    require_limit(pod.agent())
    base = pod.ready()
    pod.proxy()
    assert len(Path(f"/proc/{base.pid}/mountinfo").read_bytes()) > 40 * MB
    # The agent has seen the task before it made its mounts. A restarted one looks for it again.
    pod.agent().send(signal.SIGKILL)
    pod.await_agent_log(messages.watching("base"), run=2)
    require_limit(pod.agent(2))
    base.send_line("go")
    check_delivered(pod, upstream, base)
    check_verdict(pod)
    check_proxy_ended_by_itself(pod)
    assert len(pod.kubelet.runs("exeunt")) == 2, "the agent was killed only by the test"


def require_limit(agent: Instance) -> None:
    """Skips the test where the kernel does not limit the memory of the agent."""
    for line in Path(f"/proc/{agent.pid}/cgroup").read_text().splitlines():
        _, controllers, folder = line.split(":", 2)
        for file in (f"/sys/fs/cgroup/memory{folder}/memory.limit_in_bytes", f"/sys/fs/cgroup{folder}/memory.max"):
            named = "memory" in controllers.split(",") or not controllers
            if named and Path(file).exists() and Path(file).read_text().strip() == str(LIMIT_MIB << 20):
                return
    pytest.skip("the kernel of this machine does not limit the memory of a container")
