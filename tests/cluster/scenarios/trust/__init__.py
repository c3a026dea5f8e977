"""What the pod's own processes, its neighbours, and people with rights in its namespace may try (docs/security.md)."""

from . import excess, forgery, mesh, neighbours, shared

SCENARIOS = (
    *excess.SCENARIOS,
    *forgery.SCENARIOS,
    *neighbours.SCENARIOS,
    *mesh.SCENARIOS,
    *shared.SCENARIOS,
)
