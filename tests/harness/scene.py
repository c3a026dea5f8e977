"""A pod and the world around it: sidecar, upstream, task and agent, each started when asked for, all gone in the end."""

import contextlib
import json
import shutil
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from . import messages, paths
from .agent import Agent, flags
from .child import Child
from .client import Answer, ask
from .envoy import Envoy
from .network import HOST, Network
from .pod import AGENT_UID, OUTSIDE, PROXY_UID, TASK_UID, Pod
from .release import NEWEST, binary
from .sidecar import LOOPBACK, Sidecar
from .task import Task
from .upstream import Upstream
from .wait import TooLate

Started = TypeVar("Started", Upstream, Envoy, Task, Agent, Child)

# How a test asks for one, with the options of `Scene`.
MakeScene = Callable[..., "Scene"]

# What the filter wants to see beside a completion (DESIGN.md §3.2).
SIGNAL_HEADERS = {"x-exeunt": "1"}
COMPLETION_HEADER = "x-exeunt-completion"


class Scene:
    """One pod. Without a `pod` it shares this machine's network; with one it has users, ports and capture as in reality."""

    def __init__(
        self,
        folder: Path,
        *,
        version: str = NEWEST,
        route: str = LOOPBACK,
        istio: str = "1.29.6",
        pod: Pod | None = None,
    ) -> None:
        """Nothing runs yet; `sidecar` may be changed until `envoy` starts it."""
        self.folder = folder
        self.version = version
        self.sidecar = Sidecar(route, istio)
        self._pod = pod
        if pod is None:
            self.sidecar.without_capture()
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._closed = False
        self._things: list[Child | Envoy] = []
        self._envoy: Envoy | None = None

    # === Who takes part ===

    @property
    def network(self) -> Network:
        """Where the pod's processes run."""
        return HOST if self._pod is None else self._pod

    def upstream(self, **options: Any) -> Upstream:
        """backend.example: starts a server, and the sidecar's route leads to it."""
        if self._pod is not None:
            options = {"network": self._pod.outside, "host": OUTSIDE} | options
        upstream = self._start(lambda: Upstream(self.folder, **options))
        if options.get("mode") == "http":
            self.sidecar.backend_at(http=upstream.address)
        else:
            self.sidecar.backend_at(tcp=upstream.address)
        return upstream

    def envoy(self, *, wasm: Path | None = None, pilot_agent: bool = False, ready: bool = True) -> Envoy:
        """The proxy with the filter, or with another module."""
        module = self._reachable(wasm or paths.wasm())
        executable = self._reachable(binary(self.version))
        uid = None if self._pod is None else PROXY_UID
        envoy = self._start(
            lambda: Envoy(
                self.sidecar, executable, self.folder, wasm=module, network=self.network, uid=uid, pilot_agent=pilot_agent
            )
        )
        self._envoy = envoy
        return envoy.ready() if ready else envoy

    def task(self, what: str = "upload", **options: Any) -> Task:
        """The main container: waits for `begin`, and knows where backend.example is."""
        places = self.sidecar.places
        to = {"upload": places.tcp, "request": places.http}.get(what)
        uid = None if self._pod is None else TASK_UID
        return self._start(lambda: Task(self.folder, what, **({"to": to, "network": self.network, "uid": uid} | options)))

    def agent(self, task: Task, *more: str) -> Agent:
        """The agent, watching a task that has not begun."""
        executable = self._reachable(paths.agent())
        if self._pod is not None:
            # In a pod it needs to be told nothing: it finds the container `base`, the proxy and the ports by itself.
            return self._start(lambda: Agent(executable, self.folder, *more, network=self.network, uid=AGENT_UID))
        assert self._envoy is not None, "on this machine's network the agent must be told which process is the proxy"
        told = ["--pid", str(task.pid), *flags(self.sidecar.places, self._envoy.pid)]
        return self._start(lambda: Agent(executable, self.folder, *told, *more))

    @property
    def pilot_agent(self) -> Child:
        """The stand-in for pilot-agent, where Envoy was started by it."""
        assert self._envoy is not None
        assert self._envoy.pilot_agent is not None
        return self._envoy.pilot_agent

    def completer(self, *options: str) -> Child:
        """The agent as a one-shot, as a script of the main container's would run it; it runs already."""
        executable = self._reachable(paths.agent())
        log = self.folder / "complete.log"
        argv: list[str | Path] = [executable, "complete", *options]
        if self._pod is not None:
            return self._start(lambda: Child(argv, log, network=self.network, container="base", uid=TASK_UID, reports=False))
        assert self._envoy is not None
        argv += flags(self.sidecar.places, self._envoy.pid)
        return self._start(lambda: Child(argv, log, reports=False))

    # === What is said to the filter ===

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """A request on the signal listener."""
        return ask(self.sidecar.places.signal, method, path, headers, body, network=self.network)

    def complete(self, **fields: Any) -> Answer:
        """A completion of the main container `base`, with `fields` over the defaults, as the agent sends it."""
        text = json.dumps({"container": "base", "exitCode": 0, "action": "quit"} | fields)
        return self.ask("POST", "/v1/complete", SIGNAL_HEADERS | {COMPLETION_HEADER: text})

    def status(self) -> Any:
        """The filter's status."""
        answer = self.ask("GET", "/v1/status")
        assert answer.status == 200, answer
        return answer.json()

    def transitions(self) -> list[str]:
        """What the filter has logged, as `serving => draining: …`; one line a transition."""
        assert self._envoy is not None
        return messages.transitions(self._envoy.logged(messages.FILTER_LOG))

    # === The end ===

    def describe(self) -> str:
        """What everybody said last, for a failure."""
        return "\n".join(thing.describe() for thing in self._things)

    def close(self) -> None:
        """Ends everything; nothing can be started any more."""
        with self._lock:
            self._closed = True
            self._stack.close()
            self.sidecar.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _start(self, make: Callable[[], Started]) -> Started:
        with self._lock:
            if self._closed:
                raise TooLate("the scene is closed")
            thing = make()
            self._stack.callback(thing.stop)
            self._things.append(thing)
            return thing

    def _reachable(self, path: Path) -> Path:
        """A file that the pod's users can read: itself, or a copy where it lies in somebody's home."""
        if self._pod is None or all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents):
            return path
        copy = self.folder / path.name
        if not copy.exists():
            shutil.copy(path, copy)
            copy.chmod(0o755)
        return copy
