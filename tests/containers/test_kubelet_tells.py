"""A native agent beside a native proxy, in a pod that shares no processes: kubelet tells the end of the task, by SIGTERM."""

import pytest

from containers.cells import cell
from containers.checks import MB, SIZE, check_good_end, start_upload
from containers.conftest import MakePod
from harness import messages

# As the injector writes it, and as the downward API gives it to the agent.
STATUS = '{"initContainers":["istio-init","istio-proxy"],"containers":null,"revision":"default"}'


@cell(event="success", mode="watch", placement="native", form="native", policy="Never")
def test_a_slow_receiver_gets_every_byte(make_pod: MakePod) -> None:
    pod = make_pod(form="native")
    base, upstream = start_upload(pod, rate=MB)
    verdict = check_good_end(pod, upstream, base)
    # The task has ended long before.
    assert verdict["drainMs"] > 1000
    assert messages.BY_ENVOY in verdict["decided"]


@cell(event="no-status", mode="watch", placement="native", form="native", policy="Never")
@pytest.mark.parametrize(
    ("option", "value", "by"),
    [("--proxy", "native", messages.BY_OPTION), ("--istio-status", STATUS, messages.BY_STATUS)],
    ids=["proxy", "istio-status"],
)
def test_an_agent_that_is_told_the_form_needs_no_metadata(make_pod: MakePod, option: str, value: str, by: str) -> None:
    pod = make_pod(form="native", envoy_tells=False, bare=True, options=["--placement", "native", option, value])
    base, upstream = start_upload(pod)
    assert by in check_good_end(pod, upstream, base, SIZE)["decided"]
