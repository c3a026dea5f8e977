"""All scenarios, in the order of the report. In each file the slow ones come first, so that a run does not end with them."""

from ..scenario import Scenario
from . import (
    capture,
    deletion,
    disturbed,
    endings,
    faults,
    grace,
    kubelet,
    limits,
    mains,
    mistakes,
    order,
    others,
    proxies,
    restarts,
    short,
    signals,
    starts,
    trust,
    unshared,
    uploads,
)

ALL: tuple[Scenario, ...] = (
    *uploads.SCENARIOS,
    *grace.SCENARIOS,
    *kubelet.SCENARIOS,
    *limits.SCENARIOS,
    *short.SCENARIOS,
    *mistakes.SCENARIOS,
    *mains.SCENARIOS,
    *signals.SCENARIOS,
    *order.SCENARIOS,
    *disturbed.SCENARIOS,
    *proxies.SCENARIOS,
    *restarts.SCENARIOS,
    *capture.SCENARIOS,
    *endings.SCENARIOS,
    *starts.SCENARIOS,
    *faults.SCENARIOS,
    *deletion.SCENARIOS,
    *unshared.SCENARIOS,
    *others.SCENARIOS,
    *trust.SCENARIOS,
)
NAMES = [scenario.name for scenario in ALL]
