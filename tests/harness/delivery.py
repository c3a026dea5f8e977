"""The promise of the whole, as an assertion."""

from typing import Protocol

from .upstream import Delivery, Upstream


class Leaving(Protocol):
    """An Envoy that will end."""

    def gone(self, within: float) -> float:
        """The time of its end; waits for it."""
        ...


def check_all_delivered(
    upstream: Upstream, envoy: Leaving, size: int, *, crc: int | None = None, within: float = 10.0
) -> Delivery:
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
