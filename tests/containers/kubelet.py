"""What kubelet does with one pod, as far as its containers' starts, restarts and ends are concerned.

Followed: kubernetes 1.33 (KEP-753 for sidecars). `computePodActions` and `SyncPod` of kuberuntime_manager.go, in
pkg/kubelet/kuberuntime, say what is started; `ShouldContainerBeRestarted` of pkg/kubelet/container/helpers.go what is started
again; `killContainer` of kuberuntime_container.go and kuberuntime_termination_order.go how everything ends. Left out: what no pod
here has (plain init containers, liveness probes, resizes), and the second that kubelet may take to notice an end (PLEG): here it
notices at once, which leaves the agent the least time there is.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from containers.instance import Instance
from containers.sandbox import Sandbox
from containers.spec import Container, PodSpec
from harness.child import Ending
from harness.wait import TooLate, until

# Before a second restart; the first comes at once, each further one after twice the time (pkg/kubelet/kubelet.go,
# `backOffPeriod`, `MaxContainerBackOff`).
BACK_OFF_S = 10.0
MAX_BACK_OFF_S = 300.0
# Every container has that much between SIGTERM and SIGKILL, however late its turn comes (`minimumGracePeriodInSeconds`).
MIN_GRACE_S = 2.0
# How often probes are made. Kubelet probes once a second; here nobody waits for that.
PROBE_EVERY_S = 0.02


@dataclass
class Runs:
    """The runs of one container, the newest last."""

    container: Container
    instances: list[Instance] = field(default_factory=list)
    # The run whose startup probe has succeeded. It is not made again then.
    started: Instance | None = None

    @property
    def newest(self) -> Instance | None:
        """The run that counts."""
        return self.instances[-1] if self.instances else None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self.newest is not None and self.newest.running

    @property
    def has_started(self) -> bool:
        """Whether it runs, and its startup probe has succeeded."""
        if not self.running:
            return False
        if self.started is not self.newest and (self.container.is_started is None or self.container.is_started()):
            self.started = self.newest
        return self.started is self.newest

    @property
    def succeeded(self) -> bool:
        """Whether its newest run has ended well."""
        return self.newest is not None and not self.newest.running and self.newest.exit_code() == 0

    def may_start_at(self, back_off_s: float) -> float:
        """When the next run may start (`doBackOff`, counted from the end of the last run)."""
        assert self.newest is not None
        again = len(self.instances) - 2
        return self.newest.ended_at() + (min(back_off_s * 2**again, MAX_BACK_OFF_S) if again >= 0 else 0.0)


class Kubelet:
    """Runs one pod in a sandbox, from `start` to its end."""

    def __init__(self, spec: PodSpec, sandbox: Sandbox, *, back_off_s: float = BACK_OFF_S) -> None:
        """Nothing runs yet."""
        self.spec = spec
        self.sandbox = sandbox
        self.failure: BaseException | None = None
        # When the last container had ended, and the network was gone.
        self.ended_at: float | None = None
        self._back_off_s = back_off_s
        self._sidecars = [Runs(container) for container in spec.sidecars]
        self._containers = [Runs(container) for container in spec.containers]
        self._deleted = False
        self._given_up = False
        self._news = threading.Condition()
        self._heard = 0
        self._worker = threading.Thread(target=self._work, daemon=True)

    # === What a test asks for ===

    def start(self) -> None:
        """The pod is bound to this node."""
        self._worker.start()

    def delete(self) -> None:
        """The API server tells that the pod is to be deleted."""
        self._deleted = True
        self._tell()

    def runs(self, name: str) -> Sequence[Instance]:
        """The runs of a container so far."""
        return next(runs.instances for runs in self._all() if runs.container.name == name)

    def instance(self, name: str, run: int = 1, within: float = 30.0) -> Instance:
        """A container's run, the first, second, …; waits for it."""

        def found() -> Instance | None:
            self._check()
            instances = self.runs(name)
            return instances[run - 1] if len(instances) >= run else None

        return until(f"run {run} of {name}", found, within)

    def wait(self, within: float = 45.0) -> str:
        """The pod's phase in the end, `Succeeded` or `Failed`; waits for it."""

        def over() -> bool:
            self._check()
            return self.ended_at is not None

        until("the pod's end", over, within)
        return "Succeeded" if all(runs.succeeded for runs in self._containers) else "Failed"

    def close(self) -> None:
        """Lets go of the pod, whatever it does."""
        self._given_up = True
        self._tell()
        if self._worker.ident is not None:
            self._worker.join(60)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    # === SyncPod ===

    def _work(self) -> None:
        try:
            while not self._given_up and self.ended_at is None:
                heard = self._heard
                pause = self._sync()
                with self._news:
                    # What has happened during the sync is news, too.
                    self._news.wait_for(lambda heard=heard: self._heard != heard, pause)
        except BaseException as failure:  # noqa: BLE001 # raised again where the test waits
            self.failure = failure

    def _sync(self) -> float | None:
        """Does what is to be done now; how long until there may be more, `None` for until there is news."""
        if self._deleted:
            self._end(self.spec.grace_period_s)
            return 0
        # Before anything else: once every container has ended for good, no sidecar is started again.
        if all(runs.newest is not None and not self._starts(runs) and not runs.running for runs in self._containers):
            self._end(self.spec.grace_period_s)
            return 0
        pauses: list[float | None] = []
        for runs in self._sidecars:
            pauses.append(self._start_if_due(runs, again=True))
            if not runs.has_started:
                pauses.append(PROBE_EVERY_S)
                if all(container.newest is None for container in self._containers):
                    # Nothing is started before all that is listed ahead of it.
                    return PROBE_EVERY_S
        for runs in self._containers:
            pauses.append(self._start_if_due(runs, again=self._starts(runs)))
            if self._deleted or self._given_up:
                return 0
        return min((pause for pause in pauses if pause is not None), default=None)

    def _starts(self, runs: Runs) -> bool:
        """Whether a container is to be started, for the first time or again."""
        if runs.newest is None:
            return True
        return not runs.running and self.spec.restart_policy == "OnFailure" and not runs.succeeded

    def _start_if_due(self, runs: Runs, *, again: bool) -> float | None:
        """Starts it unless it runs; how long until it may be started, where it may not yet."""
        container = runs.container
        if runs.running or (runs.newest is not None and not again):
            return None
        if container.pulled is not None and not container.pulled.is_set():
            # Kubelet would ask the registry again after 10 s; here it is told.
            return PROBE_EVERY_S
        if runs.newest is not None:
            left = runs.may_start_at(self._back_off_s) - time.monotonic()
            if left > 0:
                return left
        instance = self.sandbox.run(container)
        runs.instances.append(instance)
        threading.Thread(target=self._notify_of_end, args=(instance.ending,), daemon=True).start()
        if runs in self._containers and container.is_started is not None:
            # A postStart hook: the next container waits for it (`startContainer`).
            self._await_hook(instance, container)
        return None

    def _await_hook(self, instance: Instance, container: Container) -> None:
        while not self._deleted and not self._given_up and instance.running:
            if container.is_started is None or container.is_started():
                return
            time.sleep(PROBE_EVERY_S)

    def _notify_of_end(self, ending: Ending) -> None:
        # One that outlives the test is killed with its pod.
        with contextlib.suppress(TooLate):
            ending.wait(600)
        self._tell()

    def _tell(self) -> None:
        with self._news:
            self._heard += 1
            self._news.notify_all()

    # === The end ===

    def _end(self, grace_s: float) -> None:
        """Ends what still runs, all at once but for the sidecars' order, then the sandbox (`killPodWithSyncResult`)."""
        victims = [runs for runs in self._all() if runs.running]
        threads = [threading.Thread(target=self._kill, args=(runs, grace_s), daemon=True) for runs in victims]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.sandbox.unplug()
        self.ended_at = time.monotonic()

    def _kill(self, runs: Runs, grace_s: float) -> None:
        """Ends one container (`killContainer`): preStop hook, its turn, SIGTERM, the grace period that is left, SIGKILL."""
        began = time.monotonic()
        if runs.container.pre_stop is not None:
            runs.container.pre_stop()
        for other in self._before(runs):
            if other.newest is not None:
                other.newest.ending.comes(max(0.0, began + grace_s - time.monotonic()))
        instance = runs.newest
        assert instance is not None
        instance.send(signal.SIGTERM)
        # Kubelet counts in whole seconds and truncates.
        left = max(MIN_GRACE_S, grace_s - int(time.monotonic() - began))
        if not instance.ending.comes(left):
            instance.send(signal.SIGKILL)
            instance.ending.wait(10)

    def _before(self, runs: Runs) -> list[Runs]:
        """Whose end is waited for before a container's own turn comes: a sidecar's is after the containers and later sidecars."""
        if runs in self._containers:
            return []
        return [*self._containers, *self._sidecars[self._sidecars.index(runs) + 1 :]]

    def _all(self) -> list[Runs]:
        return [*self._sidecars, *self._containers]
