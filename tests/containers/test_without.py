"""The same pods without exeunt: what these tests are able to see."""

from containers.checks import MB, SIZE
from containers.conftest import MakePod


def test_without_exeunt_a_native_proxy_loses_what_is_in_flight(make_pod: MakePod) -> None:
    pod = make_pod(mode="none", form="native")
    upstream = pod.upstream(rate=MB)
    pod.start(*pod.uploads(SIZE))
    base = pod.ready()
    base.say("go")
    assert pod.kubelet.wait() == "Succeeded"
    assert base.report("written")["bytes"] == SIZE
    # In ten times the time that is needed to read a receive buffer, the rest would show.
    assert not upstream.ending.comes(10 * upstream.unread_s)
    assert upstream.arrived() < SIZE / 2


def test_without_exeunt_a_classic_proxy_stays_when_everything_is_delivered(make_pod: MakePod) -> None:
    pod = make_pod(mode="none", form="classic")
    upstream = pod.upstream(rate=2 * MB)
    pod.start(*pod.uploads(SIZE))
    base = pod.ready()
    proxy = pod.proxy()
    base.say("go")
    assert base.exit_code() == 0
    (delivery,) = upstream.deliveries()
    assert (delivery.bytes, delivery.in_order) == (SIZE, True)
    assert not proxy.ending.comes(2.0)
    assert pod.kubelet.ended_at is None
