"""A pod whose containers are processes: the real Envoy, the real agent, a task, and Airflow's XCom helper.

They share a network with Istio's capture rules and a process namespace, have users of their own, and the agent is given exactly
the arguments that stand in the pod, but for the folders that kubelet would mount. Root only.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from harness.agent import Agent
from harness.child import Child
from harness.envoy import Envoy
from harness.pod import Pod
from harness.scene import Scene
from harness.task import Task

from .kubelet import PROXY, Container
from .store import Json

# More than the sockets of a pod hold, and little to wait for.
_UPLOAD = 3_000_000
_RATE = 6_000_000
_XCOM_FOLDER = b"/airflow/xcom"
_XCOM_VALUE = {"rows": 42}


class _Process:
    """A child process as a container."""

    def __init__(self, child: Child, end: signal.Signals = signal.SIGTERM) -> None:
        self._child, self._end = child, end

    def wait(self) -> int:
        """Its exit code."""
        code = self._child.wait(600)
        return code if code >= 0 else 128 - code

    def end(self) -> None:
        """SIGTERM, unless a deletion was faster."""
        with contextlib.suppress(OSError):
            self._child.ending.send(self._end)


class _Proxy(_Process):
    """Istio's: what ends is pilot-agent."""

    def __init__(self, envoy: Envoy) -> None:
        assert envoy.pilot_agent is not None
        super().__init__(envoy.pilot_agent)
        self._envoy = envoy

    def end(self) -> None:
        """In a native sidecar the preStop hook has drained before, and SIGTERM kills Envoy at once (istio pkg/istio-agent)."""
        with contextlib.suppress(OSError):
            self._envoy.ending.send(signal.SIGKILL)


class _Input:
    """A command's stdin, through which a shell is told its commands; the helper's folder lies elsewhere here."""

    def __init__(self, pipe: Any, folder: Path) -> None:
        self._pipe, self._folder = pipe, str(folder).encode()

    def write(self, data: bytes) -> None:
        """Writes with the folder's place here."""
        self._pipe.write(data.replace(_XCOM_FOLDER, self._folder))

    def flush(self) -> None:
        """Sends it on."""
        self._pipe.flush()

    def close(self) -> None:
        """The end of it."""
        self._pipe.close()


class Processes:
    """The containers of one pod."""

    def __init__(self, pod: Json, exit_code: int) -> None:
        """Makes the pod; `exit_code` is how its task ends."""
        self._folder = Path(tempfile.mkdtemp(prefix="exeunt-airflow-"))
        self._folder.chmod(0o777)
        self._annotations = pod["metadata"]["annotations"]
        self._exit_code = exit_code
        self._closing = threading.Lock()
        self._network = Pod(self._folder)
        self._scene = Scene(self._folder, pod=self._network)
        self._upstream = self._scene.upstream(rate=_RATE)
        # Whoever needs another container is started behind it; Kubernetes' order matters to none of them here.
        self._envoy = self._scene.envoy(pilot_agent=True)
        self._task = self._scene.task(size=_UPLOAD, exit_code=exit_code)
        self._agent: Agent | None = None
        self._helper: Child | None = None

    def start(self, name: str, spec: Json) -> Container:
        """By name, because each is a program of its own."""
        if name == PROXY:
            return _Proxy(self._envoy)
        if name == "exeunt":
            self._agent = self._scene.agent(self._task, *self._arguments(spec))
            return _Process(self._agent)
        if name == "airflow-xcom-sidecar":
            self._results.mkdir()
            argv = [*spec["command"], *(spec.get("args") or [])]
            self._helper = Child(argv, self._folder / "xcom.log", network=self._network, container=name, reports=False)
            return _Process(self._helper)
        assert isinstance(self._task, Task)
        return _Process(self._task)

    def begin(self) -> None:
        """The task works, and leaves a result where it has somewhere to leave it."""
        if self._results.exists():
            (self._results / "return.json").write_text(json.dumps(_XCOM_VALUE))
        self._task.begin()

    def execute(self, container: str, argv: list[str]) -> "subprocess.Popen[bytes]":
        """In the pod's namespaces."""
        argv = [word.replace(_XCOM_FOLDER.decode(), str(self._results)) for word in argv]
        hear, tell = os.pipe()
        command = self._network.command(argv, container=container, uid=None, tell=tell)
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=(tell,))
        os.close(tell)
        # Its process id in the pod, which nobody asks for here; unread, the write would fail.
        with os.fdopen(hear) as told:
            told.read()
        process.stdin = _Input(process.stdin, self._results)  # type: ignore[assignment]
        return process

    def close(self) -> None:
        """Ends all that is left."""
        with self._closing:
            self._scene.close()
            if self._helper is not None:
                self._helper.stop()
                self._helper = None
            self._network.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _results(self) -> Path:
        return self._folder / "xcom"

    def _arguments(self, spec: Json) -> list[str]:
        words = spec["args"]
        assert words[0] == "watch"
        assert spec["securityContext"]["runAsUser"] == 65532
        memory = self._folder / "state"
        memory.mkdir(exist_ok=True)
        memory.chmod(0o777)
        words = [str(memory) if word == "/run/exeunt" else word for word in words[1:]]
        # By the downward API in a cluster.
        (variable,) = spec["env"]
        assert variable["name"] == "EXEUNT_ISTIO_STATUS"
        return [*words, "--istio-status", self._annotations["sidecar.istio.io/status"]]
