"""What the scenarios of all engines do: start an object, wait for its end and its pods', and check the bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .. import observed
from ..errors import RunError
from ..scenario_run import ScenarioRun
from ..shape import AGENT
from . import prepare
from .kinds import Engine

Json = dict[str, Any]

MB = 1_000_000
# As in the other scenarios: more than Envoy and the kernel can hold, and six seconds of work for the receiver.
SIZE = 12 * MB
RATE = 2 * MB
# Little enough that the task has written all of it, and ended, before the receiver has read it.
SMALL = 4 * MB
# A proxy that gets SIGTERM ends after five seconds by itself. This upload takes twelve.
LONG = 6 * MB
LONG_RATE = MB // 2
_END_S = 240.0


@dataclass
class EngineRun:
    """One object of an engine, in one scenario."""

    run: ScenarioRun
    engine: Engine
    # `phase` is empty while the object runs.
    phase: Callable[[Json], str]
    message: Callable[[Json], str]
    main: str
    agent: str = AGENT

    def start(self, body: Json) -> None:
        """Creates the object; the engine creates its pods, with the label of this scenario."""
        self.run.agent_container = self.agent
        self.run.start_resource(self.engine.kind, body, self.main)

    def merge(self, patch: Json) -> None:
        """Changes the object."""
        self.run.site.kube.merge(self.engine.kind, self.run.site.namespace, self.run.name, patch)

    def body(self) -> Json:
        """The object as it is now."""
        return self.run.site.kube.read(self.engine.kind, self.run.site.namespace, self.run.name) or {}

    def wait_ended(self, phase: str) -> Json:
        """Waits for the end of the object, which must be this one, and of the pod with the scenario's label."""
        run = self.run
        run.wait_until("a pod", lambda: run.site.pods.pod(run.name) is not None or bool(self.phase(self.body())), _END_S)
        if run.site.pods.pod(run.name) is None:
            raise RunError(f"the {self.engine.kind} has ended without a pod: {self.message(self.body())}")
        run.wait_ended()
        return self.wait_resource(phase)

    def wait_resource(self, phase: str) -> Json:
        """Waits for the end of the object alone."""
        self.run.wait_until(f"the {self.engine.kind} to end", lambda: bool(self.phase(self.body())), _END_S)
        body = self.body()
        got = self.phase(body)
        self.run.facts.job = got
        self.run.check(got == phase, f"the {self.engine.kind} is {got}, not {phase}: {self.message(body)}")
        return body

    def wait_artifact(self, name: str) -> int:
        """Waits until the store has seen the end of an artifact's transfer; its bytes."""
        site = self.run.site
        self.run.wait_until(f"the store to see the end of {name}", lambda: bool(prepare.store_ends(site, name)), _END_S)
        return sum(int(one["bytes"]) for one in prepare.store_ends(site, name))

    def check_no_kill(self) -> None:
        """Nothing in the pod was killed."""
        killed = {name: code for name, code in self.run.facts.exits.items() if code == 137}
        self.run.check(not killed, f"containers were killed: {killed}")

    def wait_pods_ended(self, labels: list[str]) -> list[Json]:
        """Waits until every one of these pods has ended."""
        return [self.run.site.wait_pod(label, f"the pod {label} to end", observed.has_ended, _END_S) for label in labels]
