"""One task of Airflow: its process with the operator, and the pod on the cluster."""

import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .. import observed, pods
from ..errors import Interrupted, RunError
from ..observed import Json
from ..scenario_run import ScenarioRun
from ..shape import AGENT, LABEL, MAIN, PROGRAMS, PROXY, Shape, Task
from .prepare import PYTHON

_ROOT = Path(__file__).resolve().parents[3]
_PROGRAM = _ROOT / "airflow" / "tests" / "live.py"
_PATH = os.pathsep.join(str(_ROOT / folder) for folder in ("airflow/src", "airflow/tests", "tests"))
XCOM_HELPER = "airflow-xcom-sidecar"
# Containers of the pod that are not the task's.
_OTHERS = (PROXY, AGENT, XCOM_HELPER)
# What the task writes first.
FIRST_LINE = "the task starts"
_POLL_S = 0.3
# So long after its containers have ended, a task that waits for its pod waits for ever.
_FOREVER_S = 30.0
# An operator gives up a pod that does not start after two minutes.
_END_S = 400.0
# So long after its task, what becomes of a pod is settled.
_SETTLED_S = 20.0


class AirflowTask:
    """Started by a `with` block, and ended at its end. What was seen of it is in its fields."""

    def __init__(self, run: ScenarioRun, row: str, column: str, words: tuple[str, ...], second: tuple[str, ...] = ()) -> None:
        """`words` are those of `programs/task.py` in the task's container, `second` those of the second one."""
        self._run, self._row, self._column, self._words, self._second = run, row, column, words, second
        # What the operator makes of the task: empty if it waits for ever.
        self.result: Json = {}
        self.first_line_at: float | None = None
        self.main_ended_at: float | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="exeunt-e2e-airflow-")
        folder = Path(self._folder.name)
        self._log, self._answer = folder / "log", folder / "result.json"
        request = folder / "request.json"
        request.write_text(json.dumps(self._request()))
        # A process group of its own: an interrupt of the run is no kill of the task.
        self._process = subprocess.Popen(
            [PYTHON or "", "-P", str(_PROGRAM), str(request)],
            stdin=subprocess.DEVNULL,
            stdout=self._log.open("w"),
            stderr=subprocess.STDOUT,
            env=os.environ
            | {"PYTHONPATH": _PATH, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "TMPDIR": self._folder.name},
            start_new_session=True,
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        if kind is not None or self._run.problems:
            self._run.evidence["log of the task"] = "\n".join(self.log().splitlines()[-60:])
        self._folder.cleanup()

    def log(self) -> str:
        """The log of the task so far."""
        return self._log.read_text()

    def wait(self, forever_s: float = _FOREVER_S) -> str:
        """Waits until the operator ends, or waits for ever; the word of the matrix for it."""
        run = self._run
        deadline, ended = time.monotonic() + _END_S * run.slack, 0.0
        while self._process.poll() is None:
            now = time.monotonic()
            self._look(now)
            ended = ended or (now if self._has_ended() else 0.0)
            if ended and now > ended + forever_s * run.slack:
                return "waits forever"
            if now > deadline:
                raise RunError(f"the operator has not ended after {_END_S:g} s")
            if run.site.stop.wait(_POLL_S):
                raise Interrupted
        self._look(time.monotonic())
        if not self._answer.exists():
            raise RunError(f"the operator ended with an error of its own: {self.log().strip().splitlines()[-1:]}")
        self.result = json.loads(self._answer.read_text())
        return str(self.result["task"])

    def kill(self) -> None:
        """What Airflow does to a task that somebody marks as failed."""
        self._process.send_signal(signal.SIGTERM)

    def end_of_pod(self) -> str:
        """What becomes of the pod, in the words of the matrix. The operator has ended."""
        run, began = self._run, time.monotonic()
        while True:
            pod = self._newest()
            if pod is None or pod["metadata"].get("deletionTimestamp"):
                return "deleted"
            waited = time.monotonic() - began > _SETTLED_S * run.slack
            # Who deletes a Job leaves its pods to a controller, which deletes them a moment later.
            if observed.has_ended(pod) and (waited or not pod["metadata"].get("ownerReferences")):
                return f"kept, {observed.phase(pod)}"
            if waited:
                return "stays NotReady"
            if run.site.stop.wait(_POLL_S):
                raise Interrupted

    def wait_gone(self) -> None:
        """Waits until the deleted pod is gone, so that its last status is known."""
        self._run.wait_until("the deleted pod to be gone", lambda: self._run.watched.is_gone(self._run.name))

    def main_containers(self) -> list[str]:
        """The regular containers of the pod that are the task's."""
        pod = self._run.watched.pod(self._run.name)
        return [one["name"] for one in pod["spec"]["containers"] if one["name"] not in _OTHERS] if pod else []

    def clean_up(self) -> None:
        """Deletes what the operator has left."""
        run = self._run
        for kind in ("Job", "Pod"):
            left = run.site.kube.read(kind, run.namespace, selector=f"{LABEL}={run.name}") or {}
            for one in left.get("items", []):
                run.site.kube.delete(kind, run.namespace, one["metadata"]["name"], grace_s=1 if kind == "Pod" else None)

    def _look(self, now: float) -> None:
        if self.first_line_at is None and FIRST_LINE in self.log():
            self.first_line_at = now
        pod = self._run.watched.pod(self._run.name)
        if self.main_ended_at is None and pod and any(observed.terminated(pod, name) for name in self.main_containers()[:1]):
            self.main_ended_at = now

    def _has_ended(self) -> bool:
        pod = self._run.watched.pod(self._run.name)
        names = self.main_containers()
        return pod is not None and bool(names) and all(observed.terminated(pod, name) for name in names)

    def _newest(self) -> Json | None:
        """The pod as the API server has it now: the watch may be a moment late."""
        found = self._run.site.kube.read("Pod", self._run.namespace, selector=f"{LABEL}={self._run.name}") or {}
        return next(iter(found.get("items", [])), None)

    def _request(self) -> dict[str, Any]:
        run = self._run
        where = run.site.where
        # The first line shows in Airflow's log when it follows the log of the task.
        script = ("sh", "-c", f'echo "{FIRST_LINE}"; exec python3 /e2e/task.py "$@"', "task", *self._words)
        container, second = (
            pods.task_container(run.name, task, Shape(), where)
            for task in (Task(name=MAIN, command=script), Task(self._second or ("wait",), name="second"))
        )
        volumes = [{"name": "scratch", "emptyDir": {}}, {"name": "programs", "configMap": {"name": PROGRAMS}}]
        return {
            "row": self._row,
            "column": self._column,
            "name": run.name,
            "kubeconfig": str(run.site.options.kubeconfig.absolute()),
            "namespace": run.namespace,
            "labels": {LABEL: run.name, "app": run.name},
            "agent": where.agent_image,
            "task": container,
            "second": second,
            "volumes": volumes,
            "result": str(self._answer),
        }
