"""A pod of a batch job, prepared for exeunt by its user and injected by Istio: real containers, a real Envoy."""

import contextlib
import json
import threading
from http.client import HTTPException
from pathlib import Path
from typing import Any

from containers import images
from containers.blueprint import Blueprint
from containers.instance import Instance
from containers.kubelet import Kubelet
from containers.podman import Podman
from containers.proxy import Proxy
from containers.runs import BACK_OFF_S
from containers.sandbox import Process, Sandbox
from containers.spec import Form, Mode, Placement
from harness import messages, paths
from harness.client import ask
from harness.closing import Closing
from harness.network import Address
from harness.podnet import OUTSIDE
from harness.sidecar import Sidecar
from harness.upstream import Upstream
from harness.verdict import check
from harness.wait import TooLate, until


class JobPod(Closing):
    """One pod. A test sets what it needs, then calls `start`."""

    def __init__(self, podman: Podman, folder: Path, *, back_off_s: float = BACK_OFF_S, **options: Any) -> None:
        """Makes only the sandbox. `options` are those of `Blueprint`; `back_off_s` is kubelet's first back-off."""
        self.folder = folder
        self.blueprint = Blueprint(folder, **options)
        self.sidecar = Sidecar()
        self.sidecar.count_connections()
        if self.form == "hold":
            self.sidecar.hold_applications()
        self._back_off_s = back_off_s
        self._kubelet: Kubelet | None = None
        self._upstreams: list[Upstream] = []
        self._proxies: list[Proxy] = []
        self._stack = contextlib.ExitStack()
        sandbox = Sandbox(podman, folder, captured=self.form != "absent", shared=not self.blueprint.is_bare)
        self.sandbox = self._stack.enter_context(sandbox)

    @property
    def mode(self) -> Mode:
        """How the agent is used."""
        return self.blueprint.mode

    @property
    def placement(self) -> Placement:
        """Where the agent is."""
        return self.blueprint.placement

    @property
    def form(self) -> Form:
        """The form of the proxy."""
        return self.blueprint.form

    @property
    def kubelet_tells(self) -> bool:
        """Whether kubelet tells the agent the end of the task."""
        return self.blueprint.kubelet_tells

    @property
    def kubelet(self) -> Kubelet:
        """The stand-in for kubelet; it exists after `start`."""
        assert self._kubelet is not None
        return self._kubelet

    # === The start ===

    def delay_image(self, container: str) -> threading.Event:
        """Makes a container's image unavailable until the returned event is set."""
        return self.blueprint.pulled.setdefault(container, threading.Event())

    def upstream(self, **options: Any) -> Upstream:
        """Starts a server outside and makes it the endpoint of backend.example."""
        upstream = Upstream(self.folder, network=self.sandbox.outside, host=OUTSIDE, **options)
        self._stack.callback(upstream.stop)
        self._upstreams.append(upstream)
        self.sidecar.backend_at(tcp=upstream.address, http=upstream.address)
        return upstream

    def start(self, *command: str) -> None:
        """Lets kubelet run the pod; `command` is that of every main container."""
        self.blueprint.tell(self.sidecar)
        spec = self.blueprint.spec(command, self.sidecar, paths.wasm(), self.proxy_is_ready, self._drain)
        self._kubelet = Kubelet(spec, self.sandbox, back_off_s=self._back_off_s)
        self._stack.callback(self._kubelet.close)
        self._kubelet.start()

    def upload_command(self, size: int) -> list[str]:
        """The command of a task that uploads `size` bytes to backend.example and exits at once."""
        return images.task("upload", to=self._backend(self.sidecar.places.tcp), size=size)

    def request_command(self) -> list[str]:
        """The command of a task that sends an HTTP request to backend.example and waits for the answer."""
        return images.task("request", to=self._backend(self.sidecar.places.http), size=100_000)

    def _backend(self, address: Address) -> Address:
        # Without a proxy there is no capture: the task connects to the server itself.
        return self._upstreams[0].address if self.form == "absent" else address

    # === The containers ===

    def ready(self, name: str = "base", run: int = 1, *, proxied: bool = True) -> Instance:
        """Waits until a run of a main container waits for `go`, the agent for its end, and with `proxied` the proxy is ready."""
        instance = self.kubelet.instance(name, run)
        instance.report("ready", within=30)
        if self.form != "absent" and proxied:
            until("the proxy is ready", self.proxy_is_ready, 30)
        if self.kubelet_tells:
            self.await_agent_log(messages.WAITS_FOR_KUBELET)
        elif self.mode == "watch" and not self.blueprint.is_bare:
            self.await_agent_log(messages.watching(name), times=run)
        return instance

    def agent(self, run: int = 1) -> Instance:
        """Waits for a run of the agent's container and returns it."""
        return self.kubelet.instance("exeunt", run)

    def await_agent_log(self, words: str, *, run: int = 1, times: int = 1, within: float = 30.0) -> None:
        """Waits until the agent's log contains the words that many times."""
        agent = self.agent(run)
        try:
            until(f"the agent's log contains: {words}", lambda: agent.log_text().count(words) >= times, within)
        except TooLate as error:
            raise TooLate(f"{error}; {agent.describe()}") from None

    def await_drain(self) -> None:
        """Waits until the filter drains."""
        until("the drain has begun", lambda: len(self.transitions()) == 1)

    def proxy(self, run: int = 1) -> Proxy:
        """Waits for a run of the proxy's container and returns it."""
        instance = self.kubelet.instance("istio-proxy", run)
        known = next((proxy for proxy in self._proxies if proxy.instance is instance), None)
        if known is None:
            known = Proxy(instance)
            self._proxies.append(known)
        return known

    def processes_seen_by(self, instance: Instance) -> list[Process]:
        """Every process that the processes of a container see: those of all containers only if the pod shares its processes."""
        return self.sandbox.processes_seen_by(instance)

    def transitions(self) -> list[str]:
        """The changes of the filter's state in the proxies' logs, as `serving => draining: …`."""
        return messages.transitions(line for run in self.kubelet.runs("istio-proxy") for line in run.log_text().splitlines())

    def verdict(self, run: int | None = None, container: str = "base") -> Any:
        """The agent's verdict: of the last run of its container or of another run; without one, of the main `container`."""
        if self.mode != "watch":
            lines = self.kubelet.runs(container)[-1].log_text().splitlines()
            return check(next(line for line in reversed(lines) if line.startswith("{")))
        agent = self.agent(run or len(self.kubelet.runs("exeunt")))
        verdict = agent.termination_message()

        def logged() -> str | None:
            return next((line for line in reversed(agent.log_text().splitlines()) if line.startswith("{")), None)

        # The log comes through podman, and may be later than the end of the container.
        assert json.loads(until("the agent's log has the verdict", logged)) == verdict
        return verdict

    # === Probes and hooks ===

    def proxy_is_ready(self) -> bool:
        """The proxy's readiness probe."""
        try:
            return ask(self.sidecar.places.health, "GET", "/healthz/ready", network=self.sandbox.inside, timeout=1).status == 200
        except (OSError, HTTPException):
            return False

    def _drain(self) -> None:
        # `pilot-agent request --debug-port=15020 POST drain`. If the hook fails, kubelet ends the container anyway.
        with contextlib.suppress(OSError, HTTPException):
            ask(self.sidecar.places.pilot_agent, "POST", "/drain", network=self.sandbox.inside, timeout=5)

    # === The end ===

    def moments(self) -> tuple[float | None, float | None, float | None]:
        """The times at which the last task, the last Envoy and the pod ended; `None` for each that was not observed."""
        if self._kubelet is None:
            return None, None, None
        runs = [runs[-1] for name in self.blueprint.main_containers if (runs := self._kubelet.runs(name))]
        # A main container that contains the agent ends later than its task.
        ends = [run.reports[-1]["at"] if self.placement == "inside" and run.reports else run.ending.at for run in runs]
        task = max((end for end in ends if end is not None), default=None)
        return task, self._proxies[-1].ending.at if self._proxies else None, self._kubelet.ended_at

    def describe(self) -> str:
        """For a failure: the state and the last log lines of every container and server."""
        if self._kubelet is None:
            return "nothing was started"
        runs = [run for name in self.names() for run in self._kubelet.runs(name)]
        return "\n".join([*(run.describe() for run in runs), *(upstream.describe() for upstream in self._upstreams)])

    def names(self) -> list[str]:
        """The names of the containers."""
        return [container.name for container in (*self.kubelet.spec.sidecars, *self.kubelet.spec.containers)]

    def close(self) -> None:
        """Deletes the pod."""
        self._stack.close()
