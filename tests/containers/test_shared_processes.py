"""What a shared process namespace opens, to whom, and what closes it: the sentences in docs/agent.md and SECURITY.md."""

from dataclasses import dataclass

import pytest

from containers import images
from containers.conftest import MakePod
from containers.jobpod import JobPod
from harness.pod import AGENT_UID, PROXY_UID, TASK_UID

ROOT = 0
# The names of the first processes of the agent and of a second container, and of both processes of the proxy.
AGENT, HELPER, PROXY = "exeunt-agent", "sleep", {"envoy", "pilot-agent"}
KINDS = ("environment", "files", "memory")


@dataclass(frozen=True)
class Found:
    """What a task could read, by the user that it had or became; without a user that it could not become."""

    by_user: dict[int, dict[str, set[str]]]

    def nothing(self, user: int) -> bool:
        """Whether it could read nothing but arguments as that user."""
        return all(self.by_user[user][kind] == set() for kind in KINDS)

    def everything_of(self, user: int) -> set[str]:
        """The processes of which it could read everything as that user."""
        return set.intersection(*(self.by_user[user][kind] for kind in KINDS))


def pry(pod: JobPod, *, helper_capabilities: bool = True) -> Found:
    """Starts the pod with a second container of root, and lets its task look at the others."""
    pod.upstream()
    pod.blueprint.add_helper("airflow-xcom-sidecar", "/bin/sleep", "600", user=ROOT, capabilities=helper_capabilities)
    users = [word for user in (PROXY_UID, AGENT_UID) for word in ("--as", str(user))]
    pod.start(*images.program("pry", *users))
    base = pod.kubelet.instance("base")
    pod.kubelet.instance("airflow-xcom-sidecar")
    pod.proxy()
    pod.await_agent_log("watching base" if not pod.kubelet_tells else "waiting for SIGTERM")
    base.send_line("go")
    base.report("over")
    reports = [report for report in base.reports if report["event"] == "pried"]
    found = Found({one["user"]: {kind: set(one[kind]) for kind in ("arguments", *KINDS)} for one in reports})
    base.send_line("end")
    # The second container never ends.
    base.exit_code()
    return found


def test_root_reads_the_containers_of_every_user_that_it_can_become(make_pod: MakePod) -> None:
    found = pry(make_pod(task_user=ROOT, task_capabilities=True))
    assert found.by_user[ROOT]["arguments"] >= {AGENT, HELPER, *PROXY}
    # Processes of another user are closed to it, but only until it becomes that user.
    assert found.everything_of(ROOT) == {HELPER}
    assert found.everything_of(PROXY_UID) == PROXY
    assert found.everything_of(AGENT_UID) == {AGENT}


@pytest.mark.parametrize("helper_capabilities", [True, False])
def test_root_without_capabilities_reads_only_root_without_them(make_pod: MakePod, helper_capabilities: bool) -> None:
    found = pry(make_pod(task_user=ROOT), helper_capabilities=helper_capabilities)
    assert found.everything_of(ROOT) == (set() if helper_capabilities else {HELPER})
    assert found.nothing(ROOT) is helper_capabilities
    # It can become nobody else.
    assert set(found.by_user) == {ROOT}
    assert found.by_user[ROOT]["arguments"] >= {AGENT, HELPER, *PROXY}


@pytest.mark.parametrize("capabilities", [True, False])
def test_a_task_that_is_not_root_reads_only_the_arguments_of_others(make_pod: MakePod, capabilities: bool) -> None:
    found = pry(make_pod(task_user=TASK_UID, task_capabilities=capabilities))
    assert found.nothing(TASK_UID)
    assert set(found.by_user) == {TASK_UID}
    assert found.by_user[TASK_UID]["arguments"] >= {AGENT, HELPER, *PROXY}


def test_a_task_with_the_agents_user_reads_the_agent(make_pod: MakePod) -> None:
    found = pry(make_pod(task_user=AGENT_UID))
    assert found.everything_of(AGENT_UID) == {AGENT}


def test_beside_a_native_proxy_nothing_is_shared(make_pod: MakePod) -> None:
    pod = make_pod(form="native", task_user=ROOT, task_capabilities=True)
    found = pry(pod)
    assert found.by_user == {user: {kind: set() for kind in ("arguments", *KINDS)} for user in (ROOT, PROXY_UID, AGENT_UID)}
