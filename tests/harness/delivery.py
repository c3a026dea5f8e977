"""The promise of exeunt as an assertion: everything arrives, and then the proxy ends."""

from typing import Protocol

from .upstream import Delivery, Upstream


class EndingProxy(Protocol):
    """An Envoy that will end."""

    def gone(self, within: float) -> float:
        """Waits for the end of Envoy and returns its time."""
        ...


def check_all_delivered(
    upstream: Upstream, envoy: EndingProxy, size: int, *, crc: int | None = None, within: float = 10.0
) -> Delivery:
    """Waits for one upload and for the proxy's end: `size` bytes arrive whole and in order, and the proxy ends only then.

    The arrival alone proves little: on this machine the kernel still sends what a killed proxy had written.
    """
    (delivery,) = upstream.deliveries()
    gone_at = envoy.gone(within)
    assert (delivery.bytes, delivery.in_order) == (size, True)
    assert crc is None or delivery.crc == crc
    too_early = delivery.last_at - gone_at
    assert too_early < upstream.unread_s, f"the proxy ended {too_early:.3f} s before the last byte was read"
    return delivery
