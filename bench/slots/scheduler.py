"""A whole Airflow without workers: its own database, its own scheduler process, and KubernetesExecutor."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slots.reports import PROGRAM

BENCH = Path(__file__).resolve().parents[1]
_STOP_S = 30.0


@dataclass(frozen=True)
class Airflow:
    """An Airflow in a folder of its own."""

    home: Path
    environment: dict[str, str]

    def run(self, *words: str) -> None:
        """Runs an `airflow` command, and fails with its output if it fails."""
        done = subprocess.run([_program(), *words], env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"airflow {' '.join(words)} failed: {(done.stdout + done.stderr)[-2000:]}")

    def report_success(self, task: str) -> None:
        """Writes into the database that a task has succeeded: what its worker would have done through Airflow's API."""
        now = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime())
        with contextlib.closing(sqlite3.connect(self.home / "airflow.db", timeout=30)) as database, database:
            database.execute(
                "UPDATE task_instance SET state = 'success', start_date = ?, end_date = ? "
                "WHERE task_id = ? AND state IN ('queued', 'running')",
                (now, now, task),
            )

    def succeeded(self) -> int:
        """How many tasks have succeeded, as the database says."""
        with contextlib.closing(sqlite3.connect(self.home / "airflow.db", timeout=30)) as database:
            (count,) = database.execute("SELECT count(*) FROM task_instance WHERE state = 'success'").fetchone()
        return int(count)

    def slots_used(self) -> int:
        """How many slots the executor used at its last heartbeat; 0 before the first."""
        file = self.home / "slots"
        lines = file.read_text().splitlines() if file.exists() else []
        return int(lines[-1].split()[1]) if lines else 0

    @contextlib.contextmanager
    def scheduling(self, image: str, receiver: str) -> Iterator["Scheduler"]:
        """Runs the scheduler until the block is left. Its pods report to the address of the receiver."""
        (self.home / "template.json").write_text(json.dumps(_template(image, PROGRAM.replace("ADDRESS", receiver))))
        scheduler = Scheduler(self)
        try:
            yield scheduler
            if scheduler.has_ended():
                raise RuntimeError(f"the scheduler has ended: {self.home}/scheduler.log")
        finally:
            scheduler.stop()


class Scheduler:
    """The scheduler's processes: itself, and the executor's watcher."""

    def __init__(self, airflow: Airflow) -> None:
        """Starts them."""
        self._airflow = airflow
        self._process = self._start()

    def has_ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def restart(self) -> None:
        """Kills it, as a node does that has no memory left, and starts another one."""
        self._kill()
        self._process = self._start()

    def stop(self) -> None:
        """Ends it in order, or kills it."""
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
        self._kill()

    def _start(self) -> "subprocess.Popen[bytes]":
        with (self._airflow.home / "scheduler.log").open("a") as log:
            return subprocess.Popen(
                [_program(), "scheduler"], env=self._airflow.environment, stdout=log, stderr=log, start_new_session=True
            )

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def prepared(home: Path, *, kubeconfig: str, namespace: str, tasks: int, slots: int, more: dict[str, str]) -> Airflow:
    """An Airflow whose database has the DAG with its tasks, and one run of it that waits for a scheduler."""
    (home / "dags").mkdir(parents=True)
    shutil.copy(BENCH / "slots" / "dag.py", home / "dags" / "slots_dag.py")
    kubernetes = "AIRFLOW__KUBERNETES_EXECUTOR__"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW__")},
        "PYTHONPATH": os.pathsep.join([str(BENCH), str(BENCH.parent / "airflow" / "src")]),
        "EXEUNT_SLOTS_TASKS": str(tasks),
        "EXEUNT_SLOTS_FILE": str(home / "slots"),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTOR": "slots.counted_executor.CountedExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": str(slots),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        f"{kubernetes}IN_CLUSTER": "False",
        f"{kubernetes}CONFIG_FILE": kubeconfig,
        f"{kubernetes}NAMESPACE": namespace,
        f"{kubernetes}POD_TEMPLATE_FILE": str(home / "template.json"),
        **more,
    }
    airflow = Airflow(home, environment)
    airflow.run("db", "migrate")
    airflow.run("dags", "reserialize")
    airflow.run("dags", "unpause", "slots", "--yes")
    airflow.run("dags", "trigger", "slots")
    return airflow


def _template(image: str, program: str) -> dict[str, object]:
    """The pod of a worker. Its program stands in for Airflow's, and gets the same arguments."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "annotations": {
                "sidecar.istio.io/nativeSidecar": "false",
                "sidecar.istio.io/proxyCPU": "10m",
                "sidecar.istio.io/proxyMemory": "64Mi",
            }
        },
        "spec": {
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "base",
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["python3", "-c", program],
                    "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                }
            ],
        },
    }


def _program() -> str:
    return str(Path(sys.executable).parent / "airflow")
