"""All scenarios, in the order of the report. In each file the slow ones come first, so that a run does not end with them."""

from ..scenario import Scenario
from . import deletion, endings, faults, others, starts, uploads

ALL: tuple[Scenario, ...] = (
    *uploads.SCENARIOS,
    *endings.SCENARIOS,
    *starts.SCENARIOS,
    *faults.SCENARIOS,
    *deletion.SCENARIOS,
    *others.SCENARIOS,
)
NAMES = [scenario.name for scenario in ALL]
