"""The receiver of the task's data reads nothing more."""

import pytest

from containers.cells import both_forms, cell, each_placement
from containers.checks import MB, check_no_restart, check_pod_and_task_succeeded
from containers.conftest import MakePod
from containers.spec import Form, Placement

_STALL_S = 4


@cell(event="stalled", mode="watch", policy="Never")
@both_forms
@each_placement
@pytest.mark.parametrize("fetched", [True, False], ids=["filter", "no-filter"])
def test_a_dead_receiver_keeps_the_pod_for_one_stall_timeout(
    make_pod: MakePod, placement: Placement, form: Form, *, fetched: bool
) -> None:
    options = () if fetched else ("--stall-timeout", f"{_STALL_S}s")
    pod = make_pod(placement=placement, form=form, options=list(options))
    if fetched:
        pod.sidecar.plugin_config["stallTimeout"] = f"{_STALL_S}s"
    else:
        pod.sidecar.plugin_not_fetched()
    pod.upstream(mode="never")
    pod.start(*pod.upload_command(2 * MB))
    base = pod.ready()
    pod.proxy()
    base.send_line("go")
    check_pod_and_task_succeeded(pod, base)
    check_no_restart(pod)
    verdict = pod.verdict()
    assert verdict["proxy"] == ("left" if form == "native" else "gone")
    assert verdict["undelivered"]["bytes"] > 0
    assert verdict["limit"] == "stall-timeout"
    place = "stallTimeout in the plugin's configuration" if fetched else "the agent's --stall-timeout"
    assert f"no byte has moved for {_STALL_S}s: look at the receiver, or raise {place}" in verdict["advice"]
    # The drain has used up the budget. The flush only looks whether bytes move after all.
    assert verdict["drainMs"] >= _STALL_S * 1_000
    assert verdict["drainMs"] + verdict["lingerMs"] < (_STALL_S + 3) * 1_000
