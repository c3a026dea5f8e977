"""A pod whose containers are processes on this machine: the real Envoy, the real agent, a task, and Airflow's XCom helper.

The processes share a network with Istio's capture rules, and each has its own user. They also share a process namespace, but the
agent and the helper have one of their own if the pod does not say `shareProcessNamespace`. The agent gets exactly the arguments
that are in the pod, except for the paths of volumes. Needs root.
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

from exeunt_airflow.container_names import AGENT, PROXY, XCOM_HELPER
from fake_kubernetes.containers import Container
from fake_kubernetes.store import Json
from harness import paths
from harness.child import Child
from harness.envoy import Envoy
from harness.pod import TASK_UID, Pod
from harness.process import pidfds
from harness.scene import Scene
from harness.task import Task
from harness.wait import until

# More than the sockets of a pod can hold, and delivered in half a second.
_UPLOAD = 3_000_000
_RATE = 6_000_000
# Delivered in three seconds.
_SLOW_RATE = 1_000_000
# Without an agent a native proxy drains for some seconds after SIGTERM (istio, terminationDrainDuration). Here it is shorter.
_PROXY_DRAINS_S = 1.0
# A second container begins this long after the first has ended. An agent that does not wait for it has ended the proxy by then.
_LATER_S = 2.0
_AGENT_UID = "15190"
_STATUS = "sidecar.istio.io/status"
_XCOM_FOLDER = "/airflow/xcom"
# What the agent writes when it knows what to do.
_DECIDED = ("waiting for SIGTERM", '"proxy":"untouched"')
XCOM_VALUE = {"rows": 42}


class _Process:
    """A child process as a container."""

    def __init__(self, child: Child) -> None:
        self._child = child

    def wait(self) -> int:
        """Waits for its end, and returns its exit code."""
        code = self._child.wait(600)
        return code if code >= 0 else 128 - code

    def end(self) -> None:
        """Sends SIGTERM, if the process still exists."""
        with contextlib.suppress(OSError):
            self._child.ending.send(signal.SIGTERM)


class _Alone(_Process):
    """A process in a process namespace of its own, where it is process 1. Kubelet sends its signals to that process."""

    def __init__(self, child: Child) -> None:
        """`child` has made the namespace: the process is its only child."""
        super().__init__(child)
        children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
        until("the process has a namespace of its own", lambda: children.read_text() != "")
        (number,) = children.read_text().split()
        self._pid = int(number)

    @property
    def pid_in_pod(self) -> int:
        """Its id in the namespace of the pod, which is the one in the middle."""
        (line,) = [line for line in Path(f"/proc/{self._pid}/status").read_text().splitlines() if line.startswith("NSpid:")]
        return int(line.split()[2])

    def end(self) -> None:
        """Sends SIGTERM, if the process still exists."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)


class _Proxy(_Process):
    """Istio's container: it ends when pilot-agent ends."""

    def __init__(self, envoy: Envoy, drains_s: float, closed: threading.Event) -> None:
        assert envoy.pilot_agent is not None
        super().__init__(envoy.pilot_agent)
        self._envoy = envoy
        self._drains_s, self._closed = drains_s, closed

    def end(self) -> None:
        """Kills Envoy, as SIGTERM does in a native sidecar, after its preStop hook has drained it (istio pkg/istio-agent)."""
        self._closed.wait(self._drains_s)
        with contextlib.suppress(OSError):
            self._envoy.ending.send(signal.SIGKILL)


class _Input:
    """The stdin of a command. Airflow sends commands to a shell there; the folder of the XCom helper has another path here."""

    def __init__(self, pipe: Any, folder: Path) -> None:
        self._pipe, self._folder = pipe, str(folder).encode()

    def write(self, data: bytes) -> None:
        """Writes the data with the path of this machine."""
        self._pipe.write(data.replace(_XCOM_FOLDER.encode(), self._folder))

    def flush(self) -> None:
        """Flushes the pipe."""
        self._pipe.flush()

    def close(self) -> None:
        """Closes the pipe."""
        self._pipe.close()


class ProcessPod:
    """The containers of one pod, as processes."""

    def __init__(self, pod: Json, exit_code: int, *, slow: bool = False) -> None:
        """Starts the proxy and the task, which waits. It will end with `exit_code`."""
        self._folder = Path(tempfile.mkdtemp(prefix="exeunt-airflow-"))
        self._folder.chmod(0o777)
        self._annotations = pod["metadata"]["annotations"]
        self._shares_processes = pod["spec"].get("shareProcessNamespace", False)
        self._has_agent = any(
            one["name"] == AGENT for one in [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]
        )
        self._closing = threading.Lock()
        self._closed = threading.Event()
        self._network = Pod(self._folder)
        self._scene = Scene(self._folder, pod=self._network)
        self._upstream = self._scene.upstream(rate=_SLOW_RATE if slow else _RATE)
        # What Envoy tells the agent: the injector and pilot-agent know these two (istio injection-template.yaml,
        # ISTIO_META_APP_CONTAINERS, and pkg/bootstrap/config.go).
        regular = [one["name"] for one in pod["spec"]["containers"] if one["name"] != PROXY]
        status = {_STATUS: self._annotations[_STATUS]}
        self._scene.sidecar.document["node"]["metadata"] |= {"APP_CONTAINERS": ",".join(regular), "ANNOTATIONS": status}
        # The harness needs the proxy before the task, and the task before the agent. In these pods the order makes no difference.
        self._envoy = self._scene.envoy(pilot_agent=True)
        # An operator puts the task first, and can give it another name than base.
        self._first = next(name for name in regular if name != AGENT)
        self._task = self._scene.task(size=_UPLOAD, exit_code=exit_code, container=self._first)
        self._others: list[Child] = []
        self._helper: _Process | None = None
        self._second: Task | None = None

    def start(self, name: str, spec: Json) -> Container:
        """Starts a container. Its name decides which program runs."""
        if name == PROXY:
            return _Proxy(self._envoy, 0.0 if self._has_agent else _PROXY_DRAINS_S, self._closed)
        if name == AGENT:
            return self._start_agent(spec)
        if name == XCOM_HELPER:
            self._xcom_folder.mkdir()
            argv: list[str | Path] = [*spec["command"], *(spec.get("args") or [])]
            self._helper = self._started(argv, "xcom.log", name, uid=None)
            return self._helper
        if name != self._first:
            return self._start_second(name)
        assert isinstance(self._task, Task)
        return _Process(self._task)

    def begin(self) -> None:
        """Lets the task work. With an XCom helper, the task has a result for it."""
        if self._xcom_folder.exists():
            (self._xcom_folder / "return.json").write_text(json.dumps(XCOM_VALUE))
        self._task.begin()
        if self._second is not None:
            threading.Thread(target=self._begin_later, args=(self._second,), daemon=True).start()

    def execute(self, container: str, argv: list[str]) -> "subprocess.Popen[bytes]":
        """Runs a command in the namespaces of the pod."""
        argv = [word.replace(_XCOM_FOLDER, str(self._xcom_folder)) for word in argv]
        if isinstance(self._helper, _Alone):
            argv = ["nsenter", "--target", str(self._helper.pid_in_pod), "--pid", "--mount", "--", *argv]
        read_end, write_end = os.pipe()
        command = self._network.command(argv, container=container, uid=None, tell=write_end)
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, pass_fds=(write_end,))
        os.close(write_end)
        # The command writes its process id to this pipe. The id is not used here, but with no reader the write would fail.
        with os.fdopen(read_end) as reader:
            reader.read()
        process.stdin = _Input(process.stdin, self._xcom_folder)  # type: ignore[assignment]
        return process

    def message(self, container: str) -> str:
        """The agent's verdict. Other containers leave no message."""
        file = self._message_of_the_agent
        return file.read_text() if container == AGENT and file.exists() else ""

    def close(self) -> None:
        """Ends everything that still runs."""
        self._closed.set()
        with self._closing:
            self._scene.close()
            for other in self._others:
                other.stop()
            self._others.clear()
            self._network.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _message_of_the_agent(self) -> Path:
        return self._folder / "termination-log-of-the-agent"

    @property
    def _xcom_folder(self) -> Path:
        return self._folder / "xcom"

    def _start_second(self, name: str) -> _Process:
        folder = self._folder / name
        folder.mkdir()
        to = self._scene.sidecar.places.tcp
        self._second = Task(folder, to=to, size=_UPLOAD, network=self._network, container=name, uid=TASK_UID)
        self._others.append(self._second)
        return _Process(self._second)

    def _begin_later(self, second: Task) -> None:
        self._task.wait(60)
        if not self._closed.wait(_LATER_S):
            second.begin()

    def _start_agent(self, spec: Json) -> _Process:
        """Starts the agent, and returns when it has decided what to do."""
        binary = shutil.copy(paths.agent(), self._folder / "exeunt-agent")
        message = self._message_of_the_agent
        message.touch()
        message.chmod(0o666)
        argv = [binary, *self._agent_arguments(spec), "--termination-log", message]
        agent = self._started(argv, "agent.log", AGENT, uid=int(_AGENT_UID))
        child, log = self._others[-1], self._folder / "agent.log"
        # An agent that watches the task holds a pidfd of it.
        until(
            "the agent watches the task, waits for kubelet, or refuses the pod",
            lambda: any(word in log.read_text() for word in _DECIDED) or (self._shares_processes and pidfds(child.pid) > 0),
        )
        return agent

    def _started(self, argv: list[str | Path], log: str, container: str, uid: int | None) -> _Process:
        """Starts a container: with the processes of the pod, or alone, as the pod says."""
        options: dict[str, Any] = {"network": self._network, "container": container, "reports": False}
        if self._shares_processes:
            self._others.append(Child(argv, self._folder / log, uid=uid, **options))
            return _Process(self._others[-1])
        user = [] if uid is None else ["--setuid", str(uid), "--setgid", str(uid)]
        alone: list[str | Path] = ["unshare", "--pid", "--fork", "--mount-proc", *user, "--", *argv]
        self._others.append(Child(alone, self._folder / log, **options))
        return _Alone(self._others[-1])

    def _agent_arguments(self, spec: Json) -> list[str]:
        assert spec["securityContext"]["runAsUser"] == int(_AGENT_UID)
        if not self._shares_processes:
            assert not {"env", "volumeMounts"} & spec.keys()
            return list(spec["args"])
        words = spec["args"]
        assert words[0] == "watch"
        state = self._folder / "state"
        state.mkdir(exist_ok=True)
        state.chmod(0o777)
        words = [str(state) if word == "/run/exeunt" else word for word in words]
        # In a cluster the agent gets this value through the downward API.
        (variable,) = spec["env"]
        assert variable["name"] == "EXEUNT_ISTIO_STATUS"
        return [*words, "--istio-status", self._annotations[_STATUS]]
