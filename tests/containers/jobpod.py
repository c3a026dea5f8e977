"""A pod of a batch job, prepared for exeunt as users' pods are, and injected as Istio injects: real containers, a real Envoy."""

import contextlib
import json
import shutil
import sys
import threading
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from containers.instance import Instance
from containers.kubelet import BACK_OFF_S, Kubelet
from containers.podman import Podman
from containers.sandbox import Process, Sandbox
from containers.spec import Container, Form, Mode, Mount, Placement, PodSpec, Policy
from harness import paths
from harness.child import Ending
from harness.client import ask
from harness.envoy import command as envoy_command
from harness.envoy import only_child
from harness.paths import PROGRAMS
from harness.pod import AGENT_UID, OUTSIDE, PROXY_UID, TASK_UID
from harness.release import NEWEST, binary
from harness.scene import transitions
from harness.sidecar import Sidecar
from harness.upstream import Upstream
from harness.verdict import check
from harness.wait import TooLate, until

# The interpreter itself and not the link to it in an environment: its library lies beside it.
_PYTHON = [str(Path(sys.executable).resolve()), "-I", "-S"]
_ENVOY = "/opt/envoy"
_AGENT = "/exeunt-agent"
_PROGRAMS = "/opt/programs"
# What the injector writes into the annotation sidecar.istio.io/status; nothing where there is no sidecar.
_STATUS: dict[Form, dict[str, Any]] = {
    "classic": {"initContainers": ["istio-init"], "containers": ["istio-proxy"], "revision": "default"},
    "hold": {"initContainers": ["istio-init"], "containers": ["istio-proxy"], "revision": "default"},
    "native": {"initContainers": ["istio-init", "istio-proxy"], "containers": None, "revision": "default"},
}


class Proxy:
    """One run of istio-proxy: the stand-in for pilot-agent, and its Envoy, whose end `ending` is."""

    def __init__(self, instance: Instance) -> None:
        """Waits until Envoy is there."""
        self.instance = instance
        instance.report("started")
        self.ending = Ending(only_child(instance.pid))

    @property
    def running(self) -> bool:
        """Whether Envoy has not ended."""
        return self.ending.at is None

    def gone(self, within: float) -> float:
        """The time of Envoy's end; waits for it."""
        try:
            return self.ending.wait(within)
        except TooLate as late:
            raise TooLate(f"{late}; {self.instance.describe()}") from None


class JobPod:
    """One pod. What is not said is as in the README; then `start`."""

    def __init__(
        self,
        podman: Podman,
        folder: Path,
        *,
        mode: Mode = "watch",
        placement: Placement = "native",
        form: Form = "classic",
        policy: Policy = "Never",
        mains: Sequence[str] = ("base",),
        grace_period_s: int = 30,
        back_off_s: float = BACK_OFF_S,
        options: Sequence[str] = (),
        state_dir: bool = True,
        status: bool = True,
    ) -> None:
        """Only its sandbox is there.

        `options` are further ones of the agent's; `state_dir` and `status`: whether it has its folder, and is told the proxy's
        form.
        """
        self.folder = folder
        self.mode, self.placement, self.form, self.policy = mode, placement, form, policy
        self.sidecar = Sidecar()
        self.sidecar.count_connections()
        if form == "hold":
            self.sidecar.hold_applications()
        self.wasm = paths.wasm()
        # What a test adds: helper containers, and events on which images are there.
        self.helpers: list[Container] = []
        self.pulled: dict[str, threading.Event] = {}
        self._mains, self._options = mains, list(options)
        self._grace_period_s, self._back_off_s = grace_period_s, back_off_s
        self._state_dir, self._status = state_dir, status
        self._kubelet: Kubelet | None = None
        self._upstreams: list[Upstream] = []
        self._proxies: list[Proxy] = []
        self._stack = contextlib.ExitStack()
        self.sandbox = self._stack.enter_context(Sandbox(podman, folder, captured=form != "absent"))

    @property
    def kubelet(self) -> Kubelet:
        """Who runs it; there is one once it was started."""
        assert self._kubelet is not None
        return self._kubelet

    # === Its beginning ===

    def upstream(self, **options: Any) -> Upstream:
        """backend.example: starts a server outside, and the sidecar's route leads to it."""
        upstream = Upstream(self.folder, network=self.sandbox.outside, host=OUTSIDE, **options)
        self._stack.callback(upstream.stop)
        self._upstreams.append(upstream)
        self.sidecar.backend_at(tcp=upstream.address, http=upstream.address)
        return upstream

    def start(self, *command: str) -> None:
        """Has kubelet run it. `command` is every main container's; in `exec` and `complete` with the agent around it."""
        mains = [self._main(name, command) for name in self._mains]
        agent = [self._agent()] if self.mode == "watch" else []
        proxy = [] if self.form == "absent" else [self._proxy()]
        native_proxy = proxy if self.form == "native" else []
        first = proxy if self.form == "hold" else []
        last = proxy if self.form == "classic" else []
        # The injector puts a native sidecar before everybody's, a regular one behind them, or first if the others are to wait.
        sidecars = [*native_proxy, *(agent if self.placement == "native" else [])]
        containers = [*first, *(agent if self.placement == "regular" else []), *mains, *self.helpers, *last]
        spec = PodSpec(sidecars, containers, self.policy, self._grace_period_s)
        self._kubelet = Kubelet(spec, self.sandbox, back_off_s=self._back_off_s)
        self._stack.callback(self._kubelet.close)
        self._kubelet.start()

    def uploads(self, size: int) -> list[str]:
        """The command of a task that waits for `go`, uploads so many bytes to backend.example, and exits at once."""
        host, port = self._upstreams[0].address if self.form == "absent" else self.sidecar.places.tcp
        return [*_PYTHON, f"{_PROGRAMS}/task.py", "upload", "--to", f"{host}:{port}", "--bytes", str(size)]

    def idles(self) -> list[str]:
        """The command of a task that waits for `go` and exits at once."""
        return [*_PYTHON, f"{_PROGRAMS}/task.py", "idle"]

    def requests(self) -> list[str]:
        """The command of a task that waits for `go`, asks backend.example over HTTP and waits for the answer."""
        host, port = self._upstreams[0].address if self.form == "absent" else self.sidecar.places.http
        return [*_PYTHON, f"{_PROGRAMS}/task.py", "request", "--to", f"{host}:{port}", "--bytes", "100000"]

    def posts_and_idles(self, port: int, path: str) -> list[str]:
        """The command of a task that idles, then posts to a port on loopback, as scripts do that end their proxy themselves."""
        post = f"import http.client as h; c = h.HTTPConnection('127.0.0.1', {port}, timeout=5); c.request('POST', '{path}')"
        script = f'"$@"; {" ".join(_PYTHON)} -c "{post}; c.getresponse()"; exit 0'
        return ["/bin/sh", "-c", script, "task", *self.idles()]

    def spawns(self, script: str, command: Sequence[str]) -> list[str]:
        """The same command, by a shell that runs `script` first."""
        return ["/bin/sh", "-c", f'{script}; exec "$@"', "task", *command]

    def helper(self, name: str, *command: str) -> None:
        """Adds a container that is neither main nor ours."""
        self.helpers.append(Container(name, command, TASK_UID, self._root(), self._files()))

    # === Who takes part ===

    def ready(self, name: str = "base", run: int = 1, *, proxied: bool = True) -> Instance:
        """A main container's run that waits for `go`, with the agent at its post and, if it is `proxied`, the proxy ready."""
        instance = self.kubelet.instance(name, run)
        instance.report("ready", within=30)
        if self.form != "absent" and proxied:
            until("the proxy is ready", self.proxy_is_ready, 30)
        if self.mode == "watch":
            self.agent_says(f"watching {name}", times=run)
        return instance

    def agent(self, run: int = 1) -> Instance:
        """A run of the agent's container; waits for it."""
        return self.kubelet.instance("exeunt", run)

    def agent_says(self, words: str, *, run: int = 1, times: int = 1, within: float = 30.0) -> None:
        """Waits until the agent has said so."""
        agent = self.agent(run)
        try:
            until(f"the agent says: {words}", lambda: agent.said().count(words) >= times, within)
        except TooLate as late:
            raise TooLate(f"{late}; {agent.describe()}") from None

    def proxy(self, run: int = 1) -> Proxy:
        """A run of the proxy's container; waits for it."""
        instance = self.kubelet.instance("istio-proxy", run)
        known = next((proxy for proxy in self._proxies if proxy.instance is instance), None)
        if known is None:
            known = Proxy(instance)
            self._proxies.append(known)
        return known

    def processes(self) -> list[Process]:
        """Every process of its containers."""
        return self.sandbox.processes()

    def transitions(self) -> list[str]:
        """What the filters have logged, as `serving => draining: …`; one line a transition."""
        return transitions(line for run in self.kubelet.runs("istio-proxy") for line in run.said().splitlines())

    def verdict(self, run: int | None = None, main: str = "base") -> Any:
        """What the agent has said in the end, by the last run of its container or by another one."""
        if self.mode != "watch":
            lines = self.kubelet.runs(main)[-1].said().splitlines()
            return check(next(line for line in reversed(lines) if line.startswith("{")))
        agent = self.agent(run or len(self.kubelet.runs("exeunt")))
        verdict = agent.termination_message()
        said = [line for line in agent.said().splitlines() if line.startswith("{")]
        assert json.loads(said[-1]) == verdict
        return verdict

    # === Its containers ===

    def _root(self) -> Path:
        """The root of an image with this machine's programs."""
        root = self.folder / "image"
        if not root.exists():
            root.mkdir()
            # As on this machine, whose /usr it will see.
            for name in ("bin", "sbin", "lib", "lib64"):
                if (link := Path("/", name)).is_symlink():
                    (root / name).symlink_to(link.readlink())
        return root

    def _files(self) -> list[Mount]:
        files = [Mount(Path("/usr"), "/usr"), Mount(PROGRAMS, _PROGRAMS), Mount(paths.agent(), _AGENT)]
        base = Path(sys.base_prefix).resolve()
        if not base.is_relative_to("/usr"):
            files.append(Mount(base, str(base)))
        return files

    def _main(self, name: str, command: Sequence[str]) -> Container:
        words = list(command)
        options = ["--container", name, *self._options]
        if self.mode == "exec":
            options += ["--restart-policy", self.policy, "--grace-period", f"{self._grace_period_s}s", "--log", "all"]
            words = [_AGENT, "exec", *options, "--", *words]
        elif self.mode == "complete":
            ready = f"{_AGENT} wait"
            script = f'{ready}; "$@"; code=$?; {_AGENT} complete {" ".join(options)} --exit-code $code; exit $code'
            words = ["/bin/sh", "-c", script, "task", *words]
        environment = {} if self.mode in ("watch", "none") else self._istio_status()
        reports = any(word.endswith("task.py") for word in command)
        pulled = self.pulled.get(name)
        return Container(name, words, TASK_UID, self._root(), self._files(), environment, reports, pulled=pulled)

    def _agent(self) -> Container:
        # An image from scratch: nothing but the binary.
        root = self.folder / "scratch"
        if not root.exists():
            root.mkdir()
            shutil.copy(paths.agent(), root / "exeunt-agent")
        words = [_AGENT, "watch"]
        for name in self._mains:
            words += ["--container", name]
        words += ["--placement", self.placement, "--restart-policy", self.policy, *self._options]
        words += ["--grace-period", f"{self._grace_period_s}s"]
        words += ["--state-dir", "/run/exeunt"]
        mounts = []
        if self._state_dir:
            volume = self.folder / "emptydir"
            volume.mkdir()
            volume.chmod(0o777)
            mounts.append(Mount(volume, "/run/exeunt", writable=True))
        return Container("exeunt", words, AGENT_UID, root, mounts, self._istio_status(), pulled=self.pulled.get("exeunt"))

    def _istio_status(self) -> dict[str, str]:
        # Without a sidecar there is no annotation, and the downward API gives an empty value.
        return {"EXEUNT_ISTIO_STATUS": json.dumps(_STATUS[self.form]) if self.form in _STATUS else ""} if self._status else {}

    def _proxy(self) -> Container:
        executable = binary(NEWEST)
        work = self.folder / "istio-proxy"
        work.mkdir()
        work.chmod(0o777)
        module, bootstrap = work / "plugin.wasm", work / "envoy.json"
        shutil.copy(self.wasm, module)
        self.sidecar.write(bootstrap, wasm=module, access_log=work / "access.log")
        words = [*_PYTHON, f"{_PROGRAMS}/pilot_agent.py", "--exit-on-zero", "--"]
        words += envoy_command(Path(_ENVOY) / executable.name, bootstrap)
        mounts = [*self._files(), Mount(executable.parent, _ENVOY), Mount(work, str(work), writable=True)]
        native = self.form == "native"
        return Container(
            "istio-proxy",
            words,
            PROXY_UID,
            self._root(),
            mounts,
            reports=True,
            is_started=self.proxy_is_ready if self.form in ("native", "hold") else None,
            pre_stop=self._drain if native else None,
        )

    def proxy_is_ready(self) -> bool:
        """What the readiness probe says."""
        try:
            return ask(self.sidecar.places.health, "GET", "/healthz/ready", network=self.sandbox.inside, timeout=1).status == 200
        except (OSError, HTTPException):
            return False

    def _drain(self) -> None:
        # `pilot-agent request --debug-port=15020 POST drain`; where nobody answers the hook fails, and the container is ended.
        with contextlib.suppress(OSError, HTTPException):
            ask(self.sidecar.places.pilot_agent, "POST", "/drain", network=self.sandbox.inside, timeout=5)

    # === Its end ===

    def moments(self) -> tuple[float | None, float | None, float | None]:
        """When the last task had ended, when the last Envoy had, and when the pod had; as far as that was seen."""
        if self._kubelet is None:
            return None, None, None
        runs = [runs[-1] for name in self._mains if (runs := self._kubelet.runs(name))]
        # With the agent in it, a main container ends later than its task.
        ends = [run.reports[-1]["at"] if self.placement == "inside" and run.reports else run.ending.at for run in runs]
        task = max((end for end in ends if end is not None), default=None)
        return task, self._proxies[-1].ending.at if self._proxies else None, self._kubelet.ended_at

    def describe(self) -> str:
        """What everybody said last, for a failure."""
        if self._kubelet is None:
            return "nothing was started"
        runs = [run for name in self.names() for run in self._kubelet.runs(name)]
        return "\n".join([*(run.describe() for run in runs), *(upstream.describe() for upstream in self._upstreams)])

    def names(self) -> list[str]:
        """The names of its containers."""
        return [container.name for container in (*self.kubelet.spec.sidecars, *self.kubelet.spec.containers)]

    def close(self) -> None:
        """Deletes it."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
