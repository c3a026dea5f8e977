"""The axes of the matrix, and its cells: everything that can happen to each kind of pod."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MODES = ("watch", "exec", "complete")
PLACEMENTS = ("native", "regular", "inside")
FORMS = ("classic", "hold", "native", "absent")
# "rules" is Never, with a rule of the main container's own that names an exit code after which kubelet restarts it.
POLICIES = ("Never", "OnFailure", "rules")
# Each continues the words "The task …".
EVENTS = {
    "success": "succeeds while its upload is in progress",
    "failure": "fails, by an exit code or a signal",
    "restarts": "fails twice, then succeeds",
    "not-told": "fails, and the agent knows neither policy nor rules",
    "all-again": "asks for a restart of all containers, then succeeds",
    "no-exit-status": "ends, and the kernel does not tell how",
    "main-containers": "is one of two main containers",
    "all-regular": "is one of two regular containers, and the agent knows no names",
    "short": "takes a few milliseconds",
    "unseen": "starts and ends while the agent gets no CPU",
    "early": "ends before the proxy is ready",
    "late-image": "starts late, because its image is slow",
    "late-agent": "has ended before the agent starts, because the agent's image is slow",
    "agent-lost": "runs, and the agent is killed",
    "agent-lost-draining": "has ended, and the agent is killed during the drain",
    "no-filter": "ends, and the filter is missing",
    "proxy-restarted": "runs, and its proxy crashes and is started again",
    "hung": "ends, and Envoy hangs, for a moment or for ever",
    "proxy-lost": "has ended, and the proxy is killed during the drain",
    "stalled": "has ended, and its receiver reads nothing more",
    "deleted": "runs, and the pod is deleted",
    "stray": "runs, and the agent gets a SIGTERM that is not kubelet's",
    "short-grace": "has ended, and the grace period ends before everything is delivered",
    "helper": "ends, and a helper such as Airflow's XCom sidecar never ends",
    "unshared": "ends, and the pod shares no processes",
    "wrong-order": "ends, and the agent is listed before a native proxy",
    "stripped": "waits for the agent, because something has removed restartPolicy: Always from its container",
    "no-state-dir": "ends, and the agent has no folder for its state",
    "no-status": "ends, and the agent does not know the proxy's form",
    "own-end": "ends its proxy itself",
}
AXES = {"mode": MODES, "placement": PLACEMENTS, "form": FORMS, "policy": POLICIES, "event": tuple(EVENTS)}

# The value or the values of one axis.
Values = str | tuple[str, ...]
# The values of some axes; it matches every cell that has them.
Pattern = dict[str, Values]


@dataclass(frozen=True)
class Cell:
    """One thing that can happen to one kind of pod."""

    mode: str
    placement: str
    form: str
    policy: str
    event: str

    def matches(self, pattern: Pattern) -> bool:
        """Whether the pattern matches this cell."""
        return all(getattr(self, axis) in as_tuple(values) for axis, values in pattern.items())

    def __str__(self) -> str:
        return f"{self.mode}, {self.placement}, {self.form}, {self.policy}, {self.event}"


def cells() -> Iterator[Cell]:
    """All cells. In the mode `watch` the agent has a container of its own; in the other modes it has none."""
    for values in itertools.product(MODES, PLACEMENTS, FORMS, POLICIES, EVENTS):
        cell = Cell(*values)
        if (cell.mode == "watch") == (cell.placement != "inside"):
            yield cell


def as_tuple(values: Values | Iterable[str]) -> tuple[str, ...]:
    """One value or several, as a tuple."""
    return (values,) if isinstance(values, str) else tuple(values)
