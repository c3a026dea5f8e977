"""The runs of one container."""

from dataclasses import dataclass, field

from containers.instance import Instance
from containers.spec import Container

# The back-off before the second restart. The first restart comes at once, and each further one after twice the time
# (pkg/kubelet/kubelet.go, `backOffPeriod`, `MaxContainerBackOff`).
BACK_OFF_S = 10.0
MAX_BACK_OFF_S = 300.0


@dataclass
class Runs:
    """The runs of one container, the newest last."""

    container: Container
    instances: list[Instance] = field(default_factory=list)
    # The run whose startup probe has succeeded; kubelet does not probe it again.
    started: Instance | None = None

    @property
    def newest(self) -> Instance | None:
        """The newest run."""
        return self.instances[-1] if self.instances else None

    @property
    def running(self) -> bool:
        """Whether the container runs."""
        return self.newest is not None and self.newest.running

    @property
    def has_started(self) -> bool:
        """Whether the container runs and its startup probe has succeeded."""
        if not self.running:
            return False
        if self.started is not self.newest and (self.container.is_started is None or self.container.is_started()):
            self.started = self.newest
        return self.started is self.newest

    @property
    def succeeded(self) -> bool:
        """Whether the newest run has ended with exit code 0."""
        return self.newest is not None and not self.newest.running and self.newest.exit_code() == 0

    def may_start_at(self, back_off_s: float) -> float:
        """The time from which the next run may start (`doBackOff`, counted from the end of the last run)."""
        assert self.newest is not None
        again = len(self.instances) - 2
        return self.newest.ended_at() + (min(back_off_s * 2**again, MAX_BACK_OFF_S) if again >= 0 else 0.0)
