"""All scenarios, in the order of the report. In each file the slow ones come first, so that a run does not end with them."""

from ..scenario import Scenario
from . import deletion, disturbed, endings, faults, grace, kubelet, order, others, starts, unshared, uploads

ALL: tuple[Scenario, ...] = (
    *uploads.SCENARIOS,
    *grace.SCENARIOS,
    *kubelet.SCENARIOS,
    *order.SCENARIOS,
    *disturbed.SCENARIOS,
    *endings.SCENARIOS,
    *starts.SCENARIOS,
    *faults.SCENARIOS,
    *deletion.SCENARIOS,
    *unshared.SCENARIOS,
    *others.SCENARIOS,
)
NAMES = [scenario.name for scenario in ALL]
