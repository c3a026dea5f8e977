"""The surroundings of a run: its namespaces, the installed exeunt, the receiver, and the pods that run there."""

import base64
import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import install, observed, pods
from .errors import Refused, RunError
from .options import Options
from .shape import LABEL, PROGRAMS, Where
from .watched_pods import WatchedPods

if TYPE_CHECKING:
    from .injection.way import Way
    from .kube import Kube

Json = dict[str, Any]

PORT = 9000
# The label of the namespaces that this program has created.
OWNER = "app.kubernetes.io/managed-by"
OURS = "exeunt-e2e"
START_S = 300.0
_PROGRAMS = Path(__file__).with_name("programs")
# The tests on this machine have it, too.
_COLLECTOR = Path(__file__).parents[1] / "harness" / "programs" / "collector.py"
_DELETE_S = 180.0
_POLL_S = 0.5


class Site:
    """Created by a `with` block, and deleted at its end in every case, unless the options say `keep`."""

    def __init__(self, kube: "Kube", options: Options, say: Callable[[str], None]) -> None:
        self.kube = kube
        self.options = options
        self.namespace = options.namespace
        self.where = Where(options.task_image, options.agent_image)
        self.stop = threading.Event()
        self.pods = WatchedPods(self.stop)
        # What the cluster can do; `capabilities` sets it.
        self.forms: set[str] = set()
        self.native_agent = False
        # The release of the first node's Linux; zeros if the user may not read nodes.
        self.kernel = (0, 0, 0)
        # Why the cluster cannot inject a proxy under the restricted pod security standard; empty if it can.
        self.restricted = ""
        self.agent_gz = b""
        self.versions: dict[str, str] = {}
        # What adds the agent to ordinary pods; `None` without --inject.
        self.way: Way | None = None
        self._say = say
        self._created: list[str] = []
        self._further: dict[str, WatchedPods] = {}
        self._creating = threading.Lock()

    def __enter__(self) -> "Site":
        try:
            self.make_namespace(self.namespace)
            self.pods.watch(self.kube, self.namespace)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        if self.options.keep:
            for name in self._created:
                self._say(f"kept: namespace {name}; to delete it: kubectl delete namespace {name}")
            return
        try:
            self._delete_all()
        except KeyboardInterrupt:
            self._say(f"interrupted during the clean-up; please run: kubectl delete namespace {' '.join(self._created)}")
            raise

    def make_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """Creates a namespace with injection; one that exists already is refused."""
        existing = self.kube.read("Namespace", "", name)
        if existing is not None:
            ours = existing["metadata"].get("labels", {}).get(OWNER) == OURS
            why = (
                "it is left from an earlier run and can be deleted" if ours else "it exists, and this program has not created it"
            )
            raise RunError(f"--namespace {name} is not allowed: must be a namespace that does not exist ({why})")
        injection = {"istio.io/rev": self.options.revision} if self.options.revision else {"istio-injection": "enabled"}
        metadata = {"name": name, "labels": {OWNER: OURS, LABEL: self.namespace, **injection, **(labels or {})}}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        self.kube.create("", body)
        self._created.append(name)
        # The API server admits no pod before the service account exists.
        self._until(f"namespace {name} to have its service account", lambda: self._admits(name))

    def further_namespace(self, name: str) -> WatchedPods:
        """Who watches a further namespace, which has the programs."""
        with self._creating:
            if name not in self._further:
                self.make_namespace(name, self.way.labels if self.way else {})
                self.make_programs(name)
                self._further[name] = WatchedPods(self.stop)
                self._further[name].watch(self.kube, name)
            return self._further[name]

    def need_way(self) -> "Way":
        """What adds the agent to ordinary pods; a scenario that needs it tests nothing without it."""
        if self.way is None:
            raise RunError("nothing adds the agent to the pods of Jobs: this scenario needs --inject")
        return self.way

    def install(self) -> None:
        """Installs exeunt as a user does, then the programs and the receiver."""
        install.exeunt(self.kube, self.options)
        self.make_programs()
        body, service = pods.receiver(self.where, PORT)
        self.kube.create(self.namespace, body)
        address = self.kube.create(self.namespace, service)["spec"]["clusterIP"]
        # The tasks use the address, so that a problem of DNS cannot disturb the scenarios.
        host = f"[{address}]" if ":" in address else address
        self.where = Where(self.where.task_image, self.where.agent_image, f"{host}:{PORT}")
        self.wait_pod("receiver", "the receiver to start", lambda pod: observed.is_running(pod, "receiver"))

    def make_programs(self, namespace: str = "") -> None:
        """Creates the ConfigMap with the programs, in the run's namespace or in another one."""
        body: Json = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": PROGRAMS},
            "data": {path.name: path.read_text() for path in (*_PROGRAMS.glob("[a-z]*.py"), _COLLECTOR)},
        }
        self.kube.create(namespace or self.namespace, body)

    def add_agent(self, packed: bytes) -> None:
        """Adds the agent's binary to the programs."""
        self.agent_gz = packed
        data = {"agent.gz": base64.b64encode(packed).decode()}
        self.kube.patch("ConfigMap", self.namespace, PROGRAMS, {"binaryData": data})

    def wait_pod(
        self, label: str, what: str, holds: Callable[[Json], bool], within: float = START_S, *, patient: bool = False
    ) -> Json:
        """Waits until `holds` is true for a pod; see `WatchedPods.wait`."""
        return self.pods.wait(label, what, holds, within, patient=patient)

    def receiver_events(self, name: str) -> list[Json]:
        """The events of the connection `name` in the receiver's log."""
        lines = self.kube.log(self.namespace, "receiver", "receiver").splitlines()
        events = [json.loads(line) for line in lines if line.startswith("{")]
        return [event for event in events if event.get("id") == name]

    def _delete_all(self) -> None:
        for name in self._created:
            with contextlib.suppress(Refused):
                self.kube.delete("Namespace", "", name)
        deadline = time.monotonic() + _DELETE_S
        for name in self._created:
            while self._exists(name) and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            if time.monotonic() < deadline:
                self._say(f"deleted: namespace {name}")
            else:
                self._say(f"namespace {name} still exists after {_DELETE_S:g} s; kubectl get namespace {name} -o yaml shows why")

    def _admits(self, name: str) -> bool:
        try:
            self.kube.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")
        except Refused:
            return False
        return True

    def _exists(self, name: str) -> bool:
        try:
            return self.kube.read("Namespace", "", name) is not None
        except Refused:
            return True

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not holds():
            if time.monotonic() > deadline:
                raise RunError(f"waited 30 s for {what}")
            time.sleep(_POLL_S)
