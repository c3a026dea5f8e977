"""One pod and the programs around it: proxy, upstream, task and agent. A test starts each of them; `close` ends them all."""

import contextlib
import json
import shutil
import stat
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from . import messages, paths
from .agent import Agent, flags
from .child import Child
from .client import Answer, ask
from .closing import Closing
from .collector import Collector
from .envoy import Envoy
from .native_agent import NativeAgent
from .network import HOST, Network
from .pod import AGENT_UID, PROXY_UID, TASK_UID, Pod
from .podnet import OUTSIDE
from .release import NEWEST, binary
from .sidecar import LOOPBACK, Sidecar
from .task import Task
from .upstream import Upstream
from .wait import TooLate, until

Started = TypeVar("Started", Upstream, Envoy, Task, Agent, Child)

# The fixture that makes a scene, with the options of `Scene`.
MakeScene = Callable[..., "Scene"]

# The header that the filter requires of every signal, and the header that can carry the completion instead of a body.
SIGNAL_HEADERS = {"x-exeunt": "1"}
COMPLETION_HEADER = "x-exeunt-completion"


def completion(**fields: Any) -> str:
    """The text of a completion of the main container `base`; `fields` replace the defaults."""
    return json.dumps({"container": "base", "exitCode": 0, "action": "quit"} | fields)


class Scene(Closing):
    """One pod. Without `pod` it uses this machine's network; with `pod` it has the users, ports and capture of a real pod."""

    def __init__(
        self,
        folder: Path,
        *,
        version: str = NEWEST,
        route: str = LOOPBACK,
        istio: str = "1.29.6",
        pod: Pod | None = None,
    ) -> None:
        """Starts nothing; a test may change `sidecar` before it calls `envoy`."""
        self.folder = folder
        self.version = version
        self.sidecar = Sidecar(route, istio)
        self._pod = pod
        if pod is None:
            self.sidecar.without_capture()
        self._stack = contextlib.ExitStack()
        self._lock = threading.Lock()
        self._closed = False
        self._programs: list[Child | Envoy] = []
        self._envoy: Envoy | None = None

    # === The programs ===

    @property
    def network(self) -> Network:
        """The network in which the pod's processes run."""
        return HOST if self._pod is None else self._pod

    def upstream(self, **options: Any) -> Upstream:
        """Starts a server and makes it the endpoint of backend.example."""
        if self._pod is not None:
            options = {"network": self._pod.outside, "host": OUTSIDE} | options
        upstream = self._start(lambda: Upstream(self.folder, **options))
        if options.get("mode") == "http":
            self.sidecar.backend_at(http=upstream.address)
        else:
            self.sidecar.backend_at(tcp=upstream.address)
        return upstream

    def collector(self, name: str, **options: Any) -> Collector:
        """Starts a collector of telemetry, outside of the pod."""
        if self._pod is not None:
            options = {"network": self._pod.outside, "host": OUTSIDE} | options
        return self._start(lambda: Collector(self.folder, name=name, **options))

    def envoy(self, *, wasm: Path | None = None, pilot_agent: bool = False, ready: bool = True) -> Envoy:
        """Starts the proxy with the filter, or with another module."""
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
        """Starts the main container, which waits for `begin` and uses backend.example."""
        places = self.sidecar.places
        to = {"upload": places.tcp, "request": places.http}.get(what)
        uid = None if self._pod is None else TASK_UID
        return self._start(lambda: Task(self.folder, what, **({"to": to, "network": self.network, "uid": uid} | options)))

    def agent(self, task: Task, *more: str) -> Agent:
        """Starts the agent, which watches a task that has not begun."""
        executable = self._reachable(paths.agent())
        if self._pod is not None:
            # In a pod the agent finds the container `base`, the proxy and the ports by itself.
            return self._start(lambda: Agent(executable, self.folder, *more, network=self.network, uid=AGENT_UID))
        assert self._envoy is not None, "without a pod the agent needs an option that names the proxy's process"
        options = ["--pid", str(task.pid), *flags(self.sidecar.places, self._envoy.pid)]
        return self._start(lambda: Agent(executable, self.folder, *options, *more))

    def native_agent(self, *more: str, name: str = "exeunt") -> NativeAgent:
        """Starts the agent as a native sidecar, in a pod: it waits for SIGTERM and watches no task."""
        assert self._pod is not None, "a native sidecar needs a pod"
        pod, executable = self._pod, self._reachable(paths.agent())
        return self._start(lambda: NativeAgent(executable, self.folder, pod, *more, name=name))

    @property
    def pilot_agent(self) -> Child:
        """The stand-in for pilot-agent, if it has started Envoy."""
        assert self._envoy is not None
        assert self._envoy.pilot_agent is not None
        return self._envoy.pilot_agent

    def completer(self, *options: str) -> Child:
        """Starts `exeunt-agent complete`, as a script in the main container would."""
        executable = self._reachable(paths.agent())
        log = self.folder / "complete.log"
        argv: list[str | Path] = [executable, "complete", *options]
        if self._pod is not None:
            return self._start(lambda: Child(argv, log, network=self.network, container="base", uid=TASK_UID, reports=False))
        assert self._envoy is not None
        argv += flags(self.sidecar.places, self._envoy.pid)
        return self._start(lambda: Child(argv, log, reports=False))

    # === Requests to the filter ===

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer:
        """Sends a request to the signal listener."""
        return ask(self.sidecar.places.signal, method, path, headers, body, network=self.network)

    def complete(self, **fields: Any) -> Answer:
        """Sends a completion of the main container `base`, as the agent does; `fields` replace the defaults."""
        return self.ask("POST", "/v1/complete", SIGNAL_HEADERS | {COMPLETION_HEADER: completion(**fields)})

    def status(self) -> Any:
        """The filter's status."""
        answer = self.ask("GET", "/v1/status")
        assert answer.status == 200, answer
        return answer.json()

    def await_state(self, state: str) -> None:
        """Waits until the filter's status says this state."""
        until(f"the filter's state is {state}", lambda: self.status()["state"] == state)

    def transitions(self) -> list[str]:
        """The changes of the filter's state in Envoy's log, as `serving => draining: …`."""
        assert self._envoy is not None
        return messages.transitions(self._envoy.logged(messages.FILTER_LOG))

    # === The end ===

    def describe(self) -> str:
        """For a failure: the last lines of every program's log."""
        return "\n".join(program.describe() for program in self._programs)

    def close(self) -> None:
        """Ends every program; no other can be started after it."""
        with self._lock:
            self._closed = True
            self._stack.close()
            self.sidecar.release()

    def _start(self, make: Callable[[], Started]) -> Started:
        with self._lock:
            if self._closed:
                raise TooLate("the scene is closed")
            program = make()
            self._stack.callback(program.stop)
            self._programs.append(program)
            return program

    def _reachable(self, path: Path) -> Path:
        """A file that the pod's users can read: the file itself, or a copy if it is in a closed folder, such as a home."""
        if self._pod is None or all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents):
            return path
        copy = self.folder / path.name
        if not copy.exists():
            shutil.copy(path, copy)
            copy.chmod(0o755)
        return copy
