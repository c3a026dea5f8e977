"""A stand-in for kubelet: it starts, restarts and ends the containers of one pod in kubelet's order.

It follows Kubernetes 1.36 with KEP-753 for sidecars, KEP-5307 for the restart rules of a container and KEP-5532 for a restart of
all containers:

- what is started: `computePodActions` and `SyncPod` in pkg/kubelet/kuberuntime/kuberuntime_manager.go;
- what is written to /etc/hosts, for each container: `ensureHostsFile` in pkg/kubelet/kubelet_pods.go;
- what is restarted: `ShouldContainerBeRestarted` in pkg/kubelet/container/helpers.go, `ContainerShouldRestart` in
  pkg/api/v1/pod/util.go;
- how all are restarted: `getContainersToReset` and `SyncPod` in kuberuntime_manager.go;
- how containers end: `killContainer` in kuberuntime_container.go, and kuberuntime_termination_order.go.

It leaves out what no pod of these tests has: init containers that fail, liveness probes and resizes. It also leaves out the
second that kubelet may need to notice an end (PLEG): here the next step follows at once, which gives the agent the least time.
"""

import contextlib
import signal
import threading
import time
from collections.abc import Sequence

from containers.instance import Instance
from containers.runs import BACK_OFF_S, Runs
from containers.sandbox import Sandbox
from containers.spec import Container, PodSpec
from harness.ending import Ending
from harness.wait import TooLate, until

# Every container has at least this time between SIGTERM and SIGKILL, however late its turn comes (`minimumGracePeriodInSeconds`).
MIN_GRACE_S = 2.0
# The interval of the probes. Kubelet's is one second; these tests do not wait for that.
PROBE_EVERY_S = 0.02


class Kubelet:
    """Runs one pod in a sandbox, from `start` to its end."""

    def __init__(self, spec: PodSpec, sandbox: Sandbox, *, back_off_s: float = BACK_OFF_S) -> None:
        """Starts nothing yet."""
        self.spec = spec
        self.sandbox = sandbox
        self.failure: BaseException | None = None
        # The time after which the last container had ended and the network was removed.
        self.ended_at: float | None = None
        self._back_off_s = back_off_s
        self._sidecars = [Runs(container) for container in spec.sidecars]
        self._inits = [Runs(container) for container in spec.inits]
        self._containers = [Runs(container) for container in spec.containers]
        self._deleted = False
        self._closed = False
        self._changed = threading.Condition()
        self._changes = 0
        self._worker = threading.Thread(target=self._work, daemon=True)

    # === For the tests ===

    def start(self) -> None:
        """The pod is bound to this node."""
        self._worker.start()

    def delete(self) -> None:
        """The pod is deleted in the API server."""
        self._deleted = True
        self._notify()

    def runs(self, name: str) -> Sequence[Instance]:
        """The runs of a container so far."""
        return next(runs.instances for runs in self._all() if runs.container.name == name)

    def instance(self, name: str, run: int = 1, within: float = 30.0) -> Instance:
        """Waits for a run of a container, the first, second, …, and returns it."""

        def found() -> Instance | None:
            self._check()
            instances = self.runs(name)
            return instances[run - 1] if len(instances) >= run else None

        return until(f"there is run {run} of {name}", found, within)

    def wait(self, within: float = 45.0) -> str:
        """Waits for the end of the pod and returns its phase, `Succeeded` or `Failed`."""

        def over() -> bool:
            self._check()
            return self.ended_at is not None

        until("the pod has ended", over, within)
        return "Succeeded" if all(runs.succeeded for runs in self._containers) else "Failed"

    def close(self) -> None:
        """Stops the stand-in, whatever the state of the pod."""
        self._closed = True
        self._notify()
        if self._worker.ident is not None:
            self._worker.join(60)

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    # === SyncPod ===

    def _work(self) -> None:
        try:
            while not self._closed and self.ended_at is None:
                changes = self._changes
                pause = self._sync()
                with self._changed:
                    # A change during the sync counts too: then there is no pause.
                    if self._changes == changes:
                        self._changed.wait(pause)
        except BaseException as failure:  # noqa: BLE001 # raised again in the test's own thread
            self.failure = failure

    def _sync(self) -> float | None:
        """Does what is due now. Returns the time until the next step may be due; `None` if only a change can make one due."""
        if self._deleted:
            self._end(self.spec.grace_period_s)
            return 0
        if any(runs.rule is not None and runs.rule.action == "RestartAllContainers" for runs in self._all()):
            self._remove_all()
            return 0
        # This comes next: once every container has ended for good, no sidecar is started again.
        if all(runs.newest is not None and not self._starts(runs) and not runs.running for runs in self._containers):
            self._end(self.spec.grace_period_s)
            return 0
        pauses: list[float | None] = []
        for runs in self._sidecars:
            pauses.append(self._start_if_due(runs, again=True))
            if not runs.has_started:
                pauses.append(PROBE_EVERY_S)
                if all(container.newest is None for container in self._containers):
                    # The next container in the list waits for this one.
                    return PROBE_EVERY_S
        for runs in self._inits:
            pauses.append(self._start_if_due(runs, again=False))
            if runs.newest is None or runs.running:
                return PROBE_EVERY_S
        for runs in self._containers:
            pauses.append(self._start_if_due(runs, again=self._starts(runs)))
            if self._deleted or self._closed:
                return 0
        return min((pause for pause in pauses if pause is not None), default=None)

    def _starts(self, runs: Runs) -> bool:
        """Whether the container is to be started, for the first time or again."""
        if runs.newest is None:
            return True
        return runs.restarts(self.spec.restart_policy)

    def _start_if_due(self, runs: Runs, *, again: bool) -> float | None:
        """Starts the container unless it runs. Returns the time until it may start, if it may not start yet."""
        container = runs.container
        if runs.running or (runs.newest is not None and not again):
            return None
        if container.pulled is not None and not container.pulled.is_set():
            # Kubelet would ask the registry again after 10 s; here the test sets the event.
            return PROBE_EVERY_S
        if runs.newest is not None:
            left = runs.may_start_at(self._back_off_s) - time.monotonic()
            if left > 0:
                return left
        # Once the image is there, and before the runtime is asked (`makeMounts` in pkg/kubelet/kubelet_pods.go).
        self.sandbox.write_hosts()
        instance = self.sandbox.run(container)
        runs.instances.append(instance)
        threading.Thread(target=self._notify_of_end, args=(instance.ending,), daemon=True).start()
        if runs in self._containers and container.is_started is not None:
            # A postStart hook: the next container waits for it (`startContainer`).
            self._await_hook(instance, container)
        return None

    def _await_hook(self, instance: Instance, container: Container) -> None:
        while not self._deleted and not self._closed and instance.running:
            if container.is_started is None or container.is_started():
                return
            time.sleep(PROBE_EVERY_S)

    def _notify_of_end(self, ending: Ending) -> None:
        # A container that outlives the test is killed with its pod.
        with contextlib.suppress(TooLate):
            ending.wait(600)
        self._notify()

    def _notify(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def _remove_all(self) -> None:
        """Ends and removes all containers, one after the other and without their grace period: the regular ones first.

        The sandbox stays, and so do the volumes. What follows is the start of a new pod, without any back-off.
        """
        for runs in (*self._containers, *self._inits, *self._sidecars):
            instance = runs.newest
            if instance is not None and runs.running:
                instance.send(signal.SIGTERM)
                if not instance.ending.comes(MIN_GRACE_S):
                    instance.send(signal.SIGKILL)
                    instance.ending.wait(10)
            runs.removed = len(runs.instances)

    # === The end ===

    def _end(self, grace_s: float) -> None:
        """Ends all running containers in parallel, sidecars in their order, then the sandbox (`killPodWithSyncResult`)."""
        running = [runs for runs in self._all() if runs.running]
        threads = [threading.Thread(target=self._kill, args=(runs, grace_s), daemon=True) for runs in running]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.sandbox.unplug()
        self.ended_at = time.monotonic()

    def _kill(self, runs: Runs, grace_s: float) -> None:
        """Ends one container (`killContainer`): preStop hook, its turn, SIGTERM, the rest of the grace period, SIGKILL."""
        began = time.monotonic()
        if runs.container.pre_stop is not None:
            runs.container.pre_stop()
        for other in self._before(runs):
            if other.newest is not None:
                other.newest.ending.comes(max(0.0, began + grace_s - time.monotonic()))
        instance = runs.newest
        assert instance is not None
        instance.send(signal.SIGTERM)
        # Kubelet counts in whole seconds and rounds down.
        left = max(MIN_GRACE_S, grace_s - int(time.monotonic() - began))
        if not instance.ending.comes(left):
            instance.send(signal.SIGKILL)
            instance.ending.wait(10)

    def _before(self, runs: Runs) -> list[Runs]:
        """The containers that must end before this one gets SIGTERM: for a sidecar, all containers and the later sidecars."""
        if runs in self._containers:
            return []
        return [*self._containers, *self._sidecars[self._sidecars.index(runs) + 1 :]]

    def _all(self) -> list[Runs]:
        return [*self._sidecars, *self._inits, *self._containers]
