"""The agent is listed before a native proxy: kubelet ends the proxy first."""

from containers.cells import cell
from containers.checks import MB, check_no_restart, check_pod_and_task_succeeded, start_upload
from containers.conftest import MakePod
from harness import messages


@cell(event="wrong-order", mode="watch", placement="native", form="native", policy="Never")
def test_a_wrong_order_is_said_at_the_start_and_at_the_end(make_pod: MakePod) -> None:
    # An agent that does not know its placement asks for 10 s only: too short for the start of a proxy on a busy machine.
    pod = make_pod(form="native", agent_first=True, options=["--placement", "native"])
    base, _ = start_upload(pod, rate=MB)
    log = pod.agent().log_text()
    assert messages.WRONG_ORDER in log.split(messages.WAITS_FOR_KUBELET)[0]
    check_pod_and_task_succeeded(pod, base)
    check_no_restart(pod)
    verdict = pod.verdict()
    assert (verdict["proxy"], verdict["ended"]) == ("gone", messages.ENDED_BY_KUBELET)
    assert messages.WRONG_ORDER in verdict["advice"]
    assert pod.agent().exit_code() == 0
