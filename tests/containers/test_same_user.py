"""A task that runs as the agent's user in a shared process namespace: it can end the agent and write into the agent's folder.

What is recorded there never keeps the pod, and never ends the proxy of a task that runs.
"""

import os
import shlex

import pytest

from containers import images
from containers.checks import RATE, SIZE, check_delivered, check_proxy_ended_by_itself
from containers.conftest import MakePod
from containers.spec import Placement, Policy
from harness import messages
from harness.pod import AGENT_UID, TASK_UID

# Records the end of the task and of the proxy, and kills the agent.
_FORGE = """\
for process in /proc/[0-9]*; do
    read -r name <$process/comm
    if [ "$name" = exeunt-agent ]; then agent=$process; fi
done
state=$agent/root/run/exeunt
while read -r event instances id exit; do instance=${id:-$instance}; done <$state/main-base
echo "ended 1 $instance code 0" >>$state/main-base
echo done >$state/done
kill -9 ${agent#/proc/}"""


@pytest.mark.parametrize(("placement", "policy"), [("native", "Never"), ("regular", "OnFailure")])
def test_a_record_that_all_is_done_keeps_no_pod(make_pod: MakePod, placement: Placement, policy: Policy) -> None:
    pod = make_pod(placement=placement, policy=policy, task_user=AGENT_UID)
    upstream = pod.upstream(rate=RATE)
    pod.start(*images.before_script(_FORGE, pod.upload_command(SIZE)))
    base = pod.ready()
    pod.proxy()
    pod.await_agent_log(messages.SAME_USER)
    base.send_line("go")
    check_delivered(pod, upstream, base)
    check_proxy_ended_by_itself(pod)
    pod.await_agent_log(messages.NOT_DONE, run=2)
    assert pod.verdict()["proxy"] == "gone"


def test_a_record_of_its_end_ends_no_task_that_runs(make_pod: MakePod) -> None:
    pod = make_pod(task_user=AGENT_UID)
    upstream = pod.upstream(rate=RATE)
    work = shlex.join(pod.upload_command(SIZE))
    pod.start("/bin/sh", "-c", f'"$@"; {_FORGE}; exec {work}', "task", *images.task("idle"))
    base = pod.ready()
    pod.proxy()
    base.send_line("go")
    pod.await_agent_log(messages.watching("base"), run=2)
    assert not pod.proxy().ending.comes(1.0)
    assert pod.transitions() == []
    base.send_line("go")
    check_delivered(pod, upstream, base)
    check_proxy_ended_by_itself(pod)
    verdict = pod.verdict()
    assert verdict["proxy"] == "gone"
    (warning,) = verdict["warnings"]
    assert messages.SAME_USER in warning


def test_a_mark_of_another_user_keeps_no_pod(make_pod: MakePod) -> None:
    """The file in /dev/shm that tells a restarted agent that it is a native sidecar. Every container can write there."""
    pod = make_pod(stripped=True, options=["--late-start", "6s"])
    mark = pod.folder / "shm" / "exeunt-is-a-native-sidecar"
    mark.touch()
    os.chown(mark, TASK_UID, TASK_UID)
    pod.upstream()
    pod.start(*images.idle_then_post(15020, "/quitquitquit"))
    assert pod.agent().exit_code(20) == 0
    (refused,) = pod.verdict(run=1)["refused"]
    assert refused["reason"].startswith(messages.NO_OTHER_CONTAINER)
