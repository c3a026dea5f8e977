"""Every scenario, in the order of the report; the slow ones come first in each file, so that they do not stay until the end."""

from ..scenario import Scenario
from . import beginnings, deletion, endings, faults, others, uploads

ALL: tuple[Scenario, ...] = (
    *uploads.SCENARIOS,
    *endings.SCENARIOS,
    *beginnings.SCENARIOS,
    *faults.SCENARIOS,
    *deletion.SCENARIOS,
    *others.SCENARIOS,
)
NAMES = [scenario.name for scenario in ALL]
