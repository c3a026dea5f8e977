"""The agent lacks something that its pod should give it: its folder, or the injector's status."""

import pytest

from containers.cells import cell, each_placement
from containers.checks import SIZE, check_good_end, check_pod_and_task_succeeded, start_upload
from containers.conftest import MakePod
from containers.spec import Placement
from harness import messages


@cell(event="no-state-dir", mode="watch", form="classic", policy="Never")
@each_placement
def test_without_its_folder_the_agent_logs_the_risk_and_does_its_work(make_pod: MakePod, placement: Placement) -> None:
    pod = make_pod(placement=placement, state_dir=False)
    base, upstream = start_upload(pod)
    check_good_end(pod, upstream, base)
    assert messages.NO_STATE_DIR in pod.agent().log_text()


# Without the injector's status from the downward API, Envoy tells the form of the proxy, if it has Istio's metadata.
told = pytest.mark.parametrize("envoy_tells", [True, False], ids=["envoy-tells", "nothing-tells"])


@cell(event="no-status", mode="watch", form="classic", policy="Never")
@told
@each_placement
def test_without_the_injectors_status_a_classic_proxy_is_ended(
    make_pod: MakePod, placement: Placement, *, envoy_tells: bool
) -> None:
    pod = make_pod(placement=placement, status=False, envoy_tells=envoy_tells)
    base, upstream = start_upload(pod)
    assert decided_by(envoy_tells=envoy_tells) in check_good_end(pod, upstream, base)["decided"]


@cell(event="no-status", mode="watch", form="native", policy="Never")
@told
@each_placement
def test_without_the_injectors_status_a_native_proxy_loses_nothing(
    make_pod: MakePod, placement: Placement, *, envoy_tells: bool
) -> None:
    pod = make_pod(placement=placement, form="native", status=False, envoy_tells=envoy_tells)
    base, upstream = start_upload(pod)
    check_pod_and_task_succeeded(pod, base)
    (delivery,) = upstream.deliveries()
    assert (delivery.bytes, delivery.in_order) == (SIZE, True)
    assert decided_by(envoy_tells=envoy_tells) in pod.verdict()["decided"]


def decided_by(*, envoy_tells: bool) -> str:
    return messages.BY_ENVOY if envoy_tells else messages.STATUS_NOT_GIVEN
