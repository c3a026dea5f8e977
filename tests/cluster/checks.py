"""What must hold of a scenario's pod. A check that fails is collected, so that a scenario reports all of its problems."""

from abc import ABC, abstractmethod

from . import messages
from .facts import Facts
from .shape import AGENT, MAIN, PROXY


class Checks(ABC):
    """The checks of one scenario, on the facts that were observed."""

    def __init__(self) -> None:
        self.facts = Facts()
        self.problems: list[str] = []
        # What is being checked: the names of the main containers, and whether the pod is a Job's.
        self.main_containers = [MAIN]
        self.in_job = False
        self.by_kubelet = False

    @property
    @abstractmethod
    def slack(self) -> float:
        """By how much this run's limits are longer, because of --load."""

    @abstractmethod
    def observe(self) -> None:
        """Records the facts."""

    def check(self, holds: bool, problem: str) -> None:
        """Adds the problem if the condition does not hold."""
        if not holds:
            self.problems.append(problem)

    def check_end(
        self,
        *,
        phase: str = "Succeeded",
        main_exit: int = 0,
        proxy: str = "gone",
        route: str = messages.BY_FILTER,
        proxy_restarts: int = 0,
    ) -> None:
        """Observes the pod, and checks what must hold of every pod that ends as it should."""
        self.observe()
        facts = self.facts
        self.check_phase(phase)
        if self.in_job:
            self.check_job({"Succeeded": "Complete", "Failed": "Failed"}[phase])
        for name in self.main_containers:
            code = facts.exits.get(name)
            self.check(code == main_exit, f"{name} has exit code {code}, not {main_exit}")
        others = {name: code for name, code in facts.exits.items() if name in (AGENT, PROXY) and code != 0}
        # The exit code of a native sidecar never counts for the pod, and the proxy's depends only on Istio there.
        if proxy != "left":
            self.check(not others, f"exit codes of the agent or the proxy: {others}")
        restarts = facts.restarts.get(PROXY, 0)
        self.check(restarts == proxy_restarts, f"{PROXY} was restarted {restarts} times, not {proxy_restarts}")
        self.check_verdict(proxy=proxy, route=route)

    def check_phase(self, phase: str) -> None:
        """The pod's phase."""
        self.check(self.facts.phase == phase, f"the pod is {self.facts.phase}, not {phase}")

    def check_job(self, end: str) -> None:
        """The Job's end."""
        self.check(self.facts.job == end, f"the Job is {self.facts.job or 'still running'}, not {end}")

    def check_verdict(self, *, proxy: str, route: str) -> None:
        """The verdict's words about the proxy, and the beginning of its route."""
        verdict = self.facts.verdict
        if verdict is None:
            self.problems.append("the agent has written no verdict")
            return
        self.check(verdict.get("proxy") == proxy, f"the verdict says proxy {verdict.get('proxy')}, not {proxy}")
        used = str(verdict.get("route") or "")
        self.check(used.startswith(route), f"the verdict says route {used or 'none'}, not {route}")
        if self.by_kubelet:
            self._check_told_by_kubelet()

    def check_delivered(self, written: int) -> None:
        """The receiver has counted every written byte, and the verdict agrees."""
        self.facts.written = written
        received, undelivered = self.facts.received, self.facts.undelivered
        self.check(received == written, f"{received} of {written} bytes arrived")
        self.check(undelivered == 0 or received != written, f"all bytes arrived, but the verdict says that {undelivered} did not")

    def check_incomplete(self, written: int) -> None:
        """Not every written byte has arrived: otherwise the scenario has not tested a loss."""
        self.facts.written = written
        self.check((self.facts.received or 0) < written, f"all {written} bytes arrived, so this scenario has tested nothing")

    def check_loss_is_reported(self) -> None:
        """If bytes are lost, the verdict says so."""
        undelivered = self.facts.verdict_field("undelivered") or {}
        # Bytes in Envoy's own memory show only as a connection without bytes.
        reported = undelivered.get("connections", 0) > 0
        lost = self.facts.lost
        self.check(reported or lost == 0, f"{lost} bytes were lost, and the verdict does not say so")

    def check_within(self, seconds: float | None, limit: float, what: str) -> None:
        """Something has taken no longer than this; on a node that --load makes busy, everything may take longer."""
        limit *= self.slack
        self.check(seconds is not None and seconds <= limit, f"{what} has taken {seconds} s, more than {limit:g} s")

    def check_limit(self, limit: str | None, advice: str = "") -> None:
        """The limit that ended the drain; its advice has this part."""
        named, sentence = self.facts.verdict_field("limit"), self.facts.verdict_field("advice")
        self.check(named == limit, f"the verdict says limit {named}, not {limit}")
        self.check(advice in (sentence or ""), f"the verdict's advice is {sentence!r}, without {advice!r}")
        self.check(limit is not None or sentence is None, f"there was no limit, but the verdict advises: {sentence}")

    def check_main_restarts(self, restarts: int) -> None:
        """How often kubelet has restarted the main container."""
        seen = self.facts.restarts.get(MAIN, 0)
        self.check(seen == restarts, f"{MAIN} was restarted {seen} times, not {restarts}")

    def check_agent_restarts(self, restarts: int) -> None:
        """How often kubelet has restarted the agent."""
        seen = self.facts.restarts.get(AGENT, 0)
        self.check(seen == restarts, f"{AGENT} was restarted {seen} times, not {restarts}")

    def check_agent_exit(self, code: int) -> None:
        """The agent's exit code."""
        seen = self.facts.exits.get(AGENT)
        self.check(seen == code, f"{AGENT} has exit code {seen}, not {code}")

    def _check_told_by_kubelet(self) -> None:
        """Kubelet tells neither a container nor an exit code, and it leaves the proxy to nobody else."""
        expected = {"container": None, "exitCode": None, "signal": None, "exitStatus": "unknown", "action": "drain"}
        for name, value in (expected | {"ended": messages.BY_KUBELET}).items():
            said = self.facts.verdict_field(name)
            self.check(said == value, f"the verdict says {name} {said}, not {value}")
