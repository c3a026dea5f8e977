"""One run of one scenario: what it does with its pod, and what it observes of it."""

import time
from collections.abc import Callable
from typing import Any

from . import messages, observed, pods
from .checks import Checks
from .errors import Interrupted, Refused, RunError, Skip
from .observed import last_json
from .shape import AGENT, MAIN, Shape
from .site import Site
from .watched_pods import WatchedPods

Json = dict[str, Any]

# A pod that has not ended after this time does not end: the slowest scenario takes a minute.
_END_S = 240.0
_SHORT_S = 60.0
# The receiver itself ends a silent connection after 20 s.
_RECEIVED_S = 90.0
_POLL_S = 0.5
# The API server's answer to a field with a value that it does not know.
_INVALID = 422
# Its answer to what a policy of the cluster does not admit.
_FORBIDDEN = 403


class ScenarioRun(Checks):
    """The methods that a scenario uses, and everything that it has observed."""

    def __init__(self, site: Site, name: str) -> None:
        super().__init__()
        self.site = site
        self.name = name
        # Another namespace than the run's own, and who watches it.
        self._elsewhere: tuple[str, WatchedPods] | None = None
        self.evidence: dict[str, str] = {}
        # Whether the scenario itself uses an image that cannot be pulled.
        self.patient = False
        # The name of the agent's container: some engines change it.
        self.agent_container = AGENT
        self._kind = ""

    @property
    def slack(self) -> float:
        """By how much this run's limits are longer, because of --load."""
        return self.site.options.slack

    @property
    def namespace(self) -> str:
        """Where its pod is."""
        return self._elsewhere[0] if self._elsewhere else self.site.namespace

    @property
    def watched(self) -> WatchedPods:
        """Who watches that namespace."""
        return self._elsewhere[1] if self._elsewhere else self.site.pods

    # === What a scenario does ===

    def move(self, namespace: str, watched: WatchedPods) -> None:
        """From now on the pod is in another namespace."""
        self._elsewhere = namespace, watched

    def need(self, shape: Shape) -> None:
        """Skips the scenario if this cluster cannot make such a pod."""
        if shape.istio not in self.site.forms:
            raise Skip(f"this Istio makes no {shape.istio} sidecar")
        if shape.agent == "native" and not self.site.native_agent:
            raise Skip("this Kubernetes is older than 1.29: no native sidecars")
        if shape.unpacks_agent and not self.site.agent_gz:
            raise Skip("the agent's binary could not be read from the container of its image")
        for rule in (task.rule for task in shape.tasks if task.rule):
            self._need_field("restartPolicyRules", f"rule {rule.action}", shape)
        if shape.agent_policy:
            self._need_field("restartPolicy", "restart policy of a regular container", shape)
        if any(task.root for task in shape.tasks):
            self._need_root(shape)

    def start(self, shape: Shape, *, bare: bool = False) -> None:
        """Starts the pod, in a Job or bare."""
        self._expect(shape, in_job=not bare)
        self.create(pods.pod(self.name, shape, self.site.where) if bare else pods.job(self.name, shape, self.site.where))

    def start_changed(self, shape: Shape, change: Callable[[Json], Json]) -> None:
        """Starts the Job that `change` makes of the Job with a pod of this shape."""
        self._expect(shape, in_job=True)
        self.create(change(pods.job(self.name, shape, self.site.where)))

    def start_behind_agent(self, shape: Shape) -> None:
        """Starts a bare pod whose proxy is listed behind the agent, as after a policy that ran later than the injector."""
        self._expect(shape, in_job=False)
        body = pods.pod(self.name, shape, self.site.where)
        self.create(pods.behind_agent(self.site.kube.create(self.namespace, body, dry_run=True)))

    def start_secretly_held(self, shape: Shape) -> None:
        """Starts a bare pod whose proxy is held and where nothing says so, as with Istio's own setting for all pods."""
        self._expect(shape, in_job=False)
        body = pods.pod(self.name, shape, self.site.where)
        self.create(pods.told_nothing_of_hold(self.site.kube.create(self.namespace, body, dry_run=True)))

    def start_resource(self, kind: str, body: Json, main: str) -> None:
        """Creates an object of a workflow engine, which creates the pod; `main` is the pod's main container."""
        self.main_containers = [main]
        self._kind = kind
        self.site.kube.create(self.namespace, body)

    def wait(self, what: str, holds: Callable[[Json], bool], within: float = _END_S) -> Json:
        """Waits until `holds` is true for the pod and returns its state."""
        return self.watched.wait(self.name, what, holds, within * self.slack, patient=self.patient)

    def wait_until(self, what: str, holds: Callable[[], bool], within: float = _END_S) -> None:
        """Waits until `holds` is true; it is called twice per second."""
        within *= self.slack
        deadline = time.monotonic() + within
        while not holds():
            if self.site.stop.wait(_POLL_S):
                raise Interrupted
            if time.monotonic() > deadline:
                raise RunError(f"waited {within:g} s for {what}: {self._summary()}")

    def patch_image(self, container: str, image: str) -> None:
        """Gives a container another image: the only part of a running pod's containers that may change."""
        pod = self._pod()
        init = [one["name"] for one in pod["spec"].get("initContainers", [])]
        body = {"spec": {"initContainers" if container in init else "containers": [{"name": container, "image": image}]}}
        self.site.kube.patch("Pod", self.namespace, pod["metadata"]["name"], body)

    def delete_pod(self, *, grace_s: int | None = None) -> None:
        """Deletes the pod with its own grace period, as a user or an orchestrator does, or with another one."""
        self.site.kube.delete("Pod", self.namespace, self._pod()["metadata"]["name"], grace_s=grace_s)

    def wait_ended(self, within: float = _END_S) -> Json:
        """Waits for the end of the pod, and of its Job."""
        pod = self.wait("the pod to end", observed.has_ended, within)
        if self.in_job:
            self.wait_until("the Job to end", lambda: bool(self.job_end()), _SHORT_S)
            self.facts.job = self.job_end()
        return pod

    def wait_main_ended(self) -> None:
        """Waits for the end of the main container."""
        self.wait("the task to end", lambda pod: observed.terminated(pod, MAIN) is not None)

    def wait_gone(self) -> None:
        """Waits until the deleted pod is gone."""
        self.wait_until("the deleted pod to be gone", lambda: self.watched.is_gone(self.name))

    def wait_received(self, container: str = MAIN, attempts: int = 1) -> None:
        """Waits until the receiver has seen the end of each attempt's connection, and adds up the received bytes."""
        self.wait_bytes(f"{self.name}-{container}", attempts)

    def wait_bytes(self, name: str, attempts: int = 1) -> None:
        """The same for an id of its own."""
        self.wait_until(f"the receiver to see the end of {name}", lambda: len(self._ends(name)) >= attempts, _RECEIVED_S)
        self.facts.received = (self.facts.received or 0) + sum(self._ends(name))

    def log(self, container: str = MAIN) -> str:
        """The log of a container."""
        return self.site.kube.log(self.namespace, self._pod()["metadata"]["name"], container)

    def note(self, text: str) -> None:
        """Adds a note to the report."""
        self.facts.notes.append(text)

    def note_lost(self) -> None:
        """Adds to the report what did not arrive, and how much later than its task the pod has ended."""
        facts = self.facts
        self.note(
            f"{facts.received:,} of {facts.written:,} bytes arrived; the pod has ended {facts.seconds_after} s after its task"
        )

    # === What a scenario observes ===

    def observe(self) -> None:
        """Records the facts in the pod's JSON. A verdict that breaks its schema is a problem."""
        # Imported only here, because without a cluster the program works without the schema's package.
        from harness.verdict import problems

        pod, facts = self._pod(), self.facts
        facts.phase = "deleted" if self.watched.is_gone(self.name) else observed.phase(pod)
        facts.exits = observed.exit_codes(pod)
        facts.restarts = {name: observed.restarts(pod, name) for name in observed.containers(pod)}
        if facts.verdict is None:
            facts.verdict = observed.verdict(pod, self.agent_container)
            if facts.verdict is not None:
                self.problems += [f"the verdict breaks its schema: {problem}" for problem in problems(facts.verdict)]
        facts.seconds_after = observed.seconds_after(pod, self.main_containers)

    def check_keeps_waiting(self) -> None:
        """The agent has no evidence that the task has run: it says so, and leaves the proxy alone."""
        no_sign = messages.no_sign_of(MAIN)
        self.wait_until("the agent to log that it keeps waiting", lambda: no_sign in self.log(AGENT))
        self.observe()
        line = next(line for line in self.log(AGENT).splitlines() if no_sign in line)
        self.check(messages.KEEPS_WAITING in line, f"the agent does not wait; its log says: {line}")
        self.check(self.facts.phase == "Running", f"the pod is {self.facts.phase}: the agent has ended a proxy without evidence")
        self.note(f"the agent says: {line.strip()}")

    def observe_verdict_in_log(self) -> None:
        """Records the verdict from the main container's stderr, where `exec` and `complete` write it."""
        self.facts.verdict = last_json(self.log(), "proxy")

    # === The end ===

    def collect_evidence(self) -> None:
        """Collects the pod's state and the containers' logs, to explain a failure."""
        pod = self.watched.pod(self.name)
        if pod is None:
            return
        self.evidence["pod"] = observed.summary(pod)
        for container in (name for name in observed.containers(pod) if name not in observed.BEFOREHAND):
            log = self.site.kube.log(self.namespace, pod["metadata"]["name"], container)
            self.evidence[f"log of {container}"] = "\n".join(log.splitlines()[-40:])

    def clean_up(self) -> None:
        """Deletes the scenario's objects, so that a pod that does not end takes no resources from the next one."""
        if self._kind and not self.site.options.keep:
            self.site.kube.delete(self._kind, self.namespace, self.name)

    def _expect(self, shape: Shape, *, in_job: bool) -> None:
        self.need(shape)
        self.main_containers = [task.name for task in shape.tasks if task.main]
        self.in_job, self.by_kubelet = in_job, shape.by_kubelet

    def create(self, body: Json) -> None:
        """Creates the object that has the pod, or the pod; `clean_up` deletes it."""
        self._kind = body["kind"]
        self.site.kube.create(self.namespace, body)

    def _need_field(self, field: str, what: str, shape: Shape) -> None:
        """Skips the scenario if the API server refuses a field of the pod, or drops it, as an older one does."""
        try:
            made = self.site.kube.create(self.namespace, pods.pod(self.name, shape, self.site.where), dry_run=True)
        except Refused as error:
            if error.status != _INVALID:
                raise
            raise Skip(f"this Kubernetes has no {what}: {error}") from error
        if not any(one.get(field) for one in made["spec"]["containers"]):
            raise Skip(f"this Kubernetes has no {field} of a regular container: its API server drops the field")

    def _need_root(self, shape: Shape) -> None:
        try:
            self.site.kube.create(self.namespace, pods.pod(self.name, shape, self.site.where), dry_run=True)
        except Refused as error:
            if error.status != _FORBIDDEN:
                raise
            raise Skip(f"this cluster admits no root task with its usual rights: {error}") from error

    def _pod(self) -> Json:
        return self.wait("the pod to be created", lambda _pod: True, _SHORT_S)

    def _summary(self) -> str:
        pod = self.watched.pod(self.name)
        return observed.summary(pod) if pod else "there is no such pod"

    def job_end(self, name: str = "") -> str:
        """`Complete` or `Failed`, of the scenario's own Job or of another one; empty while it runs."""
        job = self.site.kube.read("Job", self.namespace, name or self.name)
        return observed.job_end(job) if job else ""

    def _ends(self, name: str) -> list[int]:
        """The bytes of each connection `name` that has ended."""
        return [int(one["bytes"]) for one in self.site.receiver_events(name) if one["event"] == "ended"]
