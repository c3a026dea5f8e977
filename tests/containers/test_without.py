"""The same pods without exeunt: they show that these tests can detect a loss, and a proxy that stays."""

from containers.checks import MB, SIZE
from containers.conftest import MakePod


def test_without_exeunt_a_native_proxy_loses_what_is_in_flight(make_pod: MakePod) -> None:
    pod = make_pod(mode="none", form="native")
    upstream = pod.upstream(rate=MB)
    pod.start(*pod.upload_command(SIZE))
    base = pod.ready()
    base.send_line("go")
    assert pod.kubelet.wait() == "Succeeded"
    assert base.report("written")["bytes"] == SIZE
    # Ten times the time that the server needs to read its receive buffer: any further bytes would arrive.
    assert not upstream.ending.comes(10 * upstream.unread_s)
    assert upstream.arrived() < SIZE / 2


def test_without_exeunt_a_classic_proxy_stays_when_everything_is_delivered(make_pod: MakePod) -> None:
    pod = make_pod(mode="none", form="classic")
    upstream = pod.upstream(rate=2 * MB)
    pod.start(*pod.upload_command(SIZE))
    base = pod.ready()
    proxy = pod.proxy()
    base.send_line("go")
    assert base.exit_code() == 0
    (delivery,) = upstream.deliveries()
    assert (delivery.bytes, delivery.in_order) == (SIZE, True)
    assert not proxy.ending.comes(2.0)
    assert pod.kubelet.ended_at is None
