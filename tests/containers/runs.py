"""The runs of one container."""

from dataclasses import dataclass, field

from containers.instance import Instance
from containers.spec import Container, Policy, Rule

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
    # How many of the runs kubelet has removed to restart all containers: for kubelet they have never been.
    removed: int = 0

    @property
    def newest(self) -> Instance | None:
        """The newest run that kubelet knows."""
        return self.instances[-1] if len(self.instances) > self.removed else None

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

    @property
    def rule(self) -> Rule | None:
        """The first rule that matches the end of the newest run (`FindMatchingContainerRestartRule`)."""
        if self.newest is None or self.newest.running:
            return None
        code = self.newest.exit_code()
        return next((rule for rule in self.container.rules if code in rule.codes), None)

    def restarts(self, pod_policy: Policy) -> bool:
        """Whether the end of the newest run is followed by another one: by a rule, by its own policy, or by that of the pod."""
        if self.newest is None or self.newest.running:
            return False
        if self.rule is not None:
            return True
        return (self.container.restart_policy or pod_policy) == "OnFailure" and not self.succeeded

    def may_start_at(self, back_off_s: float) -> float:
        """The time from which the next run may start (`doBackOff`, counted from the end of the last run)."""
        assert self.newest is not None
        again = len(self.instances) - self.removed - 2
        return self.newest.ended_at() + (min(back_off_s * 2**again, MAX_BACK_OFF_S) if again >= 0 else 0.0)
