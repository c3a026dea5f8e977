"""One scenario being played: its pod, what is seen of it, and what is wrong with that."""

import time
from collections.abc import Callable
from typing import Any

from harness.verdict import problems

from . import observed, pods
from .facts import Facts
from .observed import last_json
from .pods import Shape
from .site import Site
from .trouble import Interrupted, Skip, Trouble

Json = dict[str, Any]

# A pod that has not ended by then does not; what is slow by design takes a minute.
_END_S = 240.0
_SHORT_S = 60.0
# The receiver itself gives up on a silent connection after 20 s.
_RECEIVED_S = 90.0
_POLL_S = 0.5


class Play:
    """A scenario's hands and eyes."""

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name
        self.facts = Facts()
        self.problems: list[str] = []
        self.evidence: dict[str, str] = {}
        self._mains = [pods.MAIN]
        self._kind = ""
        # Whether an image that cannot be pulled is part of the scene.
        self.patient = False

    # --- what the scenarios do ---

    def need(self, shape: Shape) -> None:
        """Skips where this cluster cannot make such a pod."""
        if shape.istio not in self.site.forms:
            raise Skip(f"this Istio makes no {shape.istio} sidecar")
        if shape.agent == "native" and not self.site.native_agent:
            raise Skip("this Kubernetes is older than 1.29: no native sidecars")
        if shape.unpacks_agent and not self.site.agent_gz:
            raise Skip("the agent's binary could not be read from its image's container")

    def start(self, shape: Shape, *, bare: bool = False) -> None:
        """Starts the pod, in a Job or bare."""
        self.need(shape)
        self._mains = [task.name for task in shape.tasks if task.main]
        make = pods.pod if bare else pods.job
        body = make(self.name, shape, self.site.where)
        self._kind = body["kind"]
        self.site.kube.create(self.site.namespace, body)

    def wait(self, what: str, holds: Callable[[Json], bool], within: float = _END_S) -> Json:
        """Waits until something holds of the pod."""
        return self.site.wait_pod(self.name, what, holds, within, patient=self.patient)

    def wait_until(self, what: str, holds: Callable[[], bool], within: float = _END_S) -> None:
        """Waits until something holds, which is looked for twice a second."""
        deadline = time.monotonic() + within
        while not holds():
            if self.site.stop.wait(_POLL_S):
                raise Interrupted
            if time.monotonic() > deadline:
                raise Trouble(f"waited {within:g} s for {what}: {self._where()}")

    def patch_image(self, container: str, image: str) -> None:
        """Gives a container another image; a pod's only part that may change."""
        pod = self._pod()
        body = {"spec": {"containers": [{"name": container, "image": image}]}}
        self.site.kube.patch("Pod", self.site.namespace, pod["metadata"]["name"], body)

    def delete_pod(self) -> None:
        """Deletes the pod as a user or an orchestrator does, with its own grace period."""
        self.site.kube.delete("Pod", self.site.namespace, self._pod()["metadata"]["name"])

    def wait_ended(self) -> Json:
        """Until the pod has ended for good, and its Job knows it."""
        pod = self.wait("the pod to end", observed.has_ended)
        if self._kind == "Job":
            self.wait_until("the Job to end", lambda: bool(self._job_end()), _SHORT_S)
            self.facts.job = self._job_end()
        return pod

    def wait_gone(self) -> None:
        """Until the deleted pod is gone."""
        self.wait_until("the deleted pod to be gone", lambda: self.site.is_gone(self.name))

    def wait_received(self, container: str = pods.MAIN, attempts: int = 1) -> None:
        """Until the receiver has seen the end of each attempt's connection; its bytes are the truth."""
        name = f"{self.name}-{container}"
        self.wait_until(f"the receiver to see the end of {name}", lambda: len(self._ends(name)) >= attempts, _RECEIVED_S)
        self.facts.received = (self.facts.received or 0) + sum(self._ends(name))

    def log(self, container: str = pods.MAIN) -> str:
        """What a container has said."""
        return self.site.kube.log(self.site.namespace, self._pod()["metadata"]["name"], container)

    def note(self, text: str) -> None:
        """Something for the report."""
        self.facts.notes.append(text)

    def check(self, holds: bool, sentence: str) -> None:
        """Something that must hold; what does not is gathered."""
        if not holds:
            self.problems.append(sentence)

    # --- what it has come to ---

    def look(self) -> None:
        """Takes down what the pod's JSON tells now."""
        pod, facts = self._pod(), self.facts
        facts.phase = "deleted" if self.site.is_gone(self.name) else observed.phase(pod)
        facts.exits = observed.exit_codes(pod)
        facts.restarts = {name: observed.restarts(pod, name) for name in observed.containers(pod)}
        if facts.verdict is None:
            facts.verdict = observed.verdict(pod)
            if facts.verdict is not None:
                self.problems += [f"the verdict breaks its schema: {problem}" for problem in problems(facts.verdict)]
        facts.seconds_after = observed.seconds_after(pod, self._mains)

    def check_end(
        self,
        *,
        phase: str = "Succeeded",
        main_exit: int = 0,
        proxy: str = "gone",
        route: str = "filter",
        proxy_restarts: int = 0,
    ) -> None:
        """What must hold of every pod that ends as it should."""
        self.look()
        facts = self.facts
        self.check(facts.phase == phase, f"the pod is {facts.phase}, not {phase}")
        if self._kind == "Job":
            end = {"Succeeded": "Complete", "Failed": "Failed"}[phase]
            self.check(facts.job == end, f"the Job is {facts.job or 'still running'}, not {end}")
        for name in self._mains:
            code = facts.exits.get(name)
            self.check(code == main_exit, f"{name} has exit code {code}, not {main_exit}")
        others = {name: code for name, code in facts.exits.items() if name in (pods.AGENT, pods.PROXY) and code != 0}
        # A native sidecar's exit code never counts; the proxy's is Istio's own business there.
        if proxy != "left":
            self.check(not others, f"exit codes of those beside the task: {others}")
        restarts = facts.restarts.get(pods.PROXY, 0)
        self.check(restarts == proxy_restarts, f"istio-proxy was restarted {restarts} times")
        self.check_verdict(proxy=proxy, route=route)

    def check_verdict(self, *, proxy: str, route: str) -> None:
        """That the agent says this of the proxy, and by which route."""
        verdict = self.facts.verdict
        if verdict is None:
            self.problems.append("the agent has left no verdict")
            return
        self.check(verdict.get("proxy") == proxy, f"the verdict says proxy {verdict.get('proxy')}, not {proxy}")
        said = str(verdict.get("route") or "")
        self.check(said.startswith(route), f"the verdict says route {said or 'none'}, not {route}")

    def check_delivered(self, written: int) -> None:
        """That every byte has arrived, by the receiver's count."""
        self.facts.written = written
        received = self.facts.received
        self.check(received == written, f"{received} of {written} bytes arrived")
        cut = ((self.facts.verdict or {}).get("undelivered") or {}).get("bytes", 0)
        self.check(cut == 0 or received != written, f"all bytes arrived, and the verdict says that {cut} did not")

    def check_loss_is_told(self) -> None:
        """That the verdict knows of a loss, where there is one."""
        received, written = self.facts.received or 0, self.facts.written or 0
        cut = (self.facts.verdict or {}).get("undelivered") or {}
        # What only Envoy's memory held shows as a connection without bytes.
        told = cut.get("connections", 0) > 0
        self.check(told or received == written, f"{written - received} bytes were lost, and the verdict says nothing of it")

    def verdict_of_main(self) -> None:
        """Where the task wraps itself, the verdict is on its stderr."""
        self.facts.verdict = last_json(self.log(), "proxy")

    def gather(self) -> None:
        """What a person needs to understand a failure."""
        pod = self.site.pod(self.name)
        if pod is None:
            return
        self.evidence["pod"] = observed.summary(pod)
        for container in (name for name in observed.containers(pod) if name not in observed.BEFOREHAND):
            log = self.site.kube.log(self.site.namespace, pod["metadata"]["name"], container)
            self.evidence[f"log of {container}"] = "\n".join(log.splitlines()[-40:])

    def clean_up(self) -> None:
        """Deletes what the scenario has made, so that what does not end by itself takes nothing from the next."""
        if self._kind and not self.site.options.keep:
            self.site.kube.delete(self._kind, self.site.namespace, self.name)

    def _pod(self) -> Json:
        return self.wait("the pod to be made", lambda _pod: True, _SHORT_S)

    def _where(self) -> str:
        pod = self.site.pod(self.name)
        return observed.summary(pod) if pod else "there is no such pod"

    def _job_end(self) -> str:
        job = self.site.kube.read("Job", self.site.namespace, self.name)
        return observed.job_end(job) if job else ""

    def _ends(self, name: str) -> list[int]:
        """The bytes of each connection of this name that has ended."""
        return [int(one["bytes"]) for one in self.site.receiver_events(name) if one["event"] == "ended"]
