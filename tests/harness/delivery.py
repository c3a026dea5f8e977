"""The promise of the whole, as an assertion."""

from .envoy import Envoy
from .upstream import Delivery, Upstream


def check_all_delivered(upstream: Upstream, envoy: Envoy, size: int, *, crc: int | None = None, within: float = 10.0) -> Delivery:
    """One upload of `size` bytes has arrived, whole and in order, and only then did the proxy leave; waits for both.

    That everything has arrived proves little by itself: here the kernel goes on sending what a killed proxy had written.
    """
    (delivery,) = upstream.deliveries()
    gone_at = envoy.gone(within)
    assert (delivery.bytes, delivery.in_order) == (size, True)
    assert crc is None or delivery.crc == crc
    early = delivery.last_at - gone_at
    assert early < upstream.unread_s, f"the proxy left {early:.3f} s before the last byte was read"
    return delivery
