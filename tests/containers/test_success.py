"""The task succeeds while its upload is still under way."""

import pytest

from containers.conftest import MakePod
from containers.spec import Form, Placement
from harness.delivery import check_all_delivered

MB = 1_000_000


@pytest.mark.parametrize("form", ["classic", "hold", "native"])
@pytest.mark.parametrize("placement", ["native", "regular"])
def test_everything_is_delivered_and_the_pod_succeeds(make_pod: MakePod, placement: Placement, form: Form) -> None:
    pod = make_pod(placement=placement, form=form)
    upstream = pod.upstream(rate=4 * MB)
    pod.start(*pod.uploads(6 * MB))
    base = pod.ready()
    proxy = pod.proxy()
    base.say("go")
    crc = base.report("written")["crcs"][0]
    assert pod.kubelet.wait() == "Succeeded"
    check_all_delivered(upstream, proxy, 6 * MB, crc=crc)
