"""The place of a run: its namespaces, exeunt as it is installed there, the receiver, and what its pods are doing."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import install, observed, pods
from .arguments import Options
from .trouble import Interrupted, Refused, Trouble

if TYPE_CHECKING:
    from .kube import Kube

Json = dict[str, Any]

PORT = 9000
OWNER = "app.kubernetes.io/managed-by"
OURS = "exeunt-e2e"
_PROGRAMS = Path(__file__).with_name("programs")
_START_S = 300.0
_DELETE_S = 180.0
_POLL_S = 0.5


class Site:
    """Made by `with`, and gone at its end, whatever has happened."""

    def __init__(self, kube: "Kube", options: Options, say: Callable[[str], None]) -> None:
        self.kube = kube
        self.options = options
        self.namespace = options.namespace
        self.where = pods.Where(options.task_image, options.agent_image)
        self.stop = threading.Event()
        # What the cluster can do, by `preflight`.
        self.forms: set[str] = set()
        self.native_agent = False
        self.restricted = ""
        self.agent_gz = b""
        self.versions: dict[str, str] = {}
        self._say = say
        self._made: list[str] = []
        self._pods: dict[str, Json] = {}
        self._gone: set[str] = set()
        self._news = threading.Condition()

    def __enter__(self) -> "Site":
        try:
            self.make_namespace(self.namespace)
            threading.Thread(target=self._watch, daemon=True).start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        if self.options.keep:
            for name in self._made:
                self._say(f"kept: namespace {name}; kubectl delete namespace {name}")
            return
        try:
            self._delete_all()
        except KeyboardInterrupt:
            self._say(f"interrupted while cleaning up; left to you: kubectl delete namespace {' '.join(self._made)}")
            raise

    def make_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """Makes a namespace that injects, and refuses one that is somebody else's."""
        there = self.kube.read("Namespace", "", name)
        if there is not None:
            ours = there["metadata"].get("labels", {}).get(OWNER) == OURS
            whose = "is left from an earlier run and can be deleted" if ours else "exists and is not of this tool's making"
            raise Trouble(f"--namespace {name} is not allowed: it {whose}; name one that does not exist")
        injection = {"istio.io/rev": self.options.revision} if self.options.revision else {"istio-injection": "enabled"}
        metadata = {"name": name, "labels": {OWNER: OURS, **injection, **(labels or {})}}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self.kube.create("", body)
        self._made.append(name)
        # Until its service account is there, no pod is admitted.
        self._until(f"namespace {name} to have its service account", lambda: self._admits(name))

    def install(self) -> None:
        """Installs exeunt as a user would, then what the tests need beside it."""
        install.exeunt(self.kube, self.options)
        self.make_programs()
        body, service = pods.receiver(self.where, PORT)
        self.kube.create(self.namespace, body)
        address = self.kube.create(self.namespace, service)["spec"]["clusterIP"]
        # By its address: what is tested needs no DNS, so neither does the test.
        host = f"[{address}]" if ":" in address else address
        self.where = pods.Where(self.where.task_image, self.where.agent_image, f"{host}:{PORT}")
        self.wait_pod("receiver", "the receiver to start", lambda pod: observed.is_running(pod, "receiver"))

    def make_programs(self) -> None:
        """The programs of the tests, and the agent's binary once it is known."""
        body: Json = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": pods.PROGRAMS},
            "data": {name: (_PROGRAMS / name).read_text() for name in ("task.py", "receiver.py")},
        }
        if self.agent_gz:
            packed = base64.b64encode(self.agent_gz).decode()
            self.kube.patch("ConfigMap", self.namespace, pods.PROGRAMS, {"binaryData": {"agent.gz": packed}})
        else:
            self.kube.create(self.namespace, body)

    def pod(self, label: str) -> Json | None:
        """The newest known state of the pod with this label, which may be gone."""
        with self._news:
            return self._pods.get(label)

    def is_gone(self, label: str) -> bool:
        """Whether the pod was there and has been deleted."""
        with self._news:
            return label in self._gone

    def wait_pod(
        self, label: str, what: str, holds: Callable[[Json], bool], within: float = _START_S, *, patient: bool = False
    ) -> Json:
        """Waits until something holds of a pod; `Trouble` where it never will, unless `patient` knows why."""
        deadline = time.monotonic() + within
        while True:
            pod = self.pod(label)
            if pod is not None and holds(pod):
                return pod
            if self.stop.is_set():
                raise Interrupted
            why = observed.hopeless(pod) if pod is not None else ""
            if why and not patient and not why.startswith("it cannot be scheduled"):
                raise Trouble(f"waited for {what}: {why}")
            if time.monotonic() > deadline:
                raise Trouble(
                    f"waited {within:g} s for {what}: {why or (observed.summary(pod) if pod else 'there is no such pod')}"
                )
            with self._news:
                self._news.wait(_POLL_S)

    def receiver_events(self, name: str) -> list[Json]:
        """What the receiver has said of the connection called `name`."""
        lines = self.kube.log(self.namespace, "receiver", "receiver").splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in events if event.get("id") == name]

    def _delete_all(self) -> None:
        for name in self._made:
            with contextlib.suppress(Refused):
                self.kube.delete("Namespace", "", name)
        deadline = time.monotonic() + _DELETE_S
        for name in self._made:
            while self._is_there(name) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            if time.monotonic() < deadline:
                self._say(f"deleted: namespace {name}")
            else:
                self._say(f"namespace {name} is not gone after {_DELETE_S:g} s: kubectl get namespace {name} -o yaml tells why")

    def _watch(self) -> None:
        self.kube.watch_pods(self.namespace, self.stop, self._listed, self._seen)

    def _listed(self, there: list[Json]) -> None:
        with self._news:
            names = {_label(pod) for pod in there}
            self._gone |= set(self._pods) - names
            self._pods.update({_label(pod): pod for pod in there})
            self._news.notify_all()

    def _seen(self, event: Json) -> None:
        if event["type"] == "BOOKMARK":
            return
        with self._news:
            label = _label(event["object"])
            self._pods[label] = event["object"]
            if event["type"] == "DELETED":
                self._gone.add(label)
            self._news.notify_all()

    def _admits(self, name: str) -> bool:
        try:
            self.kube.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")
        except Refused:
            return False
        return True

    def _is_there(self, name: str) -> bool:
        try:
            return self.kube.read("Namespace", "", name) is not None
        except Refused:
            return True

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not holds():
            if time.monotonic() > deadline:
                raise Trouble(f"waited 30 s for {what}")
            time.sleep(_POLL_S)


def _label(pod: Json) -> str:
    labels = pod["metadata"].get("labels", {})
    return str(labels.get(pods.LABEL, pod["metadata"]["name"]))
