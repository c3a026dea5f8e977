"""The three acts. Each has an Envoy, a server and a task of its own; the tasks begin at the same moment."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from arguments import Options
from ending import Ending
from harness.agent import Agent
from harness.client import ask
from harness.envoy import Envoy
from harness.scene import Scene
from harness.upstream import Upstream
from harness.wait import TooLate
from stage import Stage

ACTS = ("nothing", "sigkill", "exeunt")

# How long `nothing` is looked at beyond the time of its upload: exeunt needs some milliseconds for what never happens there.
_LOOK_FOR_S = 2.0
# Beside the upload itself; only a machine that does not get on reaches it.
_PATIENCE_S = 30.0


class Play:
    """Runs the acts in threads; whatever they started is gone at the end of the `with` block."""

    def __init__(self, stage: Stage, options: Options, folder: Path) -> None:
        self._stage = stage
        self._options = options
        for name in ACTS:
            (folder / name).mkdir()
        self._size = options.megabytes * 1_000_000
        self._patience = self._size / options.rate + _PATIENCE_S
        self._scenes = {name: Scene(folder / name, version=options.envoy) for name in ACTS}
        self._ready = threading.Barrier(len(ACTS), action=self._begin)
        self._endings: dict[str, Ending] = {}
        self._failures: list[BaseException] = []

    def run(self) -> dict[str, Ending]:
        """All acts, to their ends."""
        options, say = self._options, self._stage.say
        say(f"Envoy {options.envoy} with the sidecar configuration of Istio 1.29.6, three times.")
        upload = f"uploads {options.megabytes} MB to a server that reads {options.rate:,} bytes per second"
        say(f"Each task {upload}, and exits at once.\n")
        threads = [threading.Thread(target=self._act, args=(name,), daemon=True) for name in ACTS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failures:
            # The first is the cause; the others' barrier was broken by it.
            raise self._failures[0]
        return {name: self._endings[name] for name in ACTS}

    def _begin(self) -> None:
        self._stage.curtain(time.monotonic())
        self._stage.line("all", "the three tasks begin to upload")

    def _act(self, name: str) -> None:
        try:
            self._endings[name] = self._perform(name, self._scenes[name])
        except BaseException as failure:  # noqa: BLE001 (the main thread raises it again)
            self._failures.append(failure)
            self._ready.abort()

    def _perform(self, name: str, scene: Scene) -> Ending:
        upstream = scene.upstream(rate=self._options.rate)
        envoy = scene.envoy(pilot_agent=True)
        task = scene.task(size=self._size)
        agent = scene.agent(task) if name == "exeunt" else None
        self._ready.wait()
        task.begin()
        written: int = task.report("written", self._patience)["bytes"]
        task.wait()
        exit_at = task.ending.wait(0)
        arrived = f"{upstream.arrived() / 1e6:.1f} MB have arrived"
        self._stage.line(name, f"the task has written {written / 1e6:.1f} MB and exits; {arrived}", exit_at)
        with ThreadPoolExecutor() as asides:
            arrival = asides.submit(self._arrival, name, upstream)
            departure = asides.submit(self._departure, name, envoy)
            route = self._quitquitquit(envoy) if name == "sigkill" else None
            delivered = arrival.result()
            gone_at = departure.result()
        if agent is not None:
            route = self._verdict(agent)
        watched = time.monotonic() - exit_at
        return Ending(name, written, delivered, None if gone_at is None else gone_at - exit_at, watched, route)

    def _quitquitquit(self, envoy: Envoy) -> str:
        status = ask(envoy.places.pilot_agent, "POST", "/quitquitquit").status
        self._stage.line("sigkill", f"POST :15020/quitquitquit is answered by {status}")
        return f"pilot-agent {envoy.places.pilot_agent[0]}:{envoy.places.pilot_agent[1]}"

    def _arrival(self, name: str, upstream: Upstream) -> int:
        (delivery,) = upstream.deliveries(within=self._patience)
        how = "" if delivery.in_order else ", and then a reset"
        self._stage.line(name, f"the server has {delivery.bytes / 1e6:.1f} MB{how}", delivery.at)
        return delivery.bytes

    def _departure(self, name: str, envoy: Envoy) -> float | None:
        if name == "nothing":
            # As long as the upload can take, and longer than exeunt needs in all.
            within = self._size / self._options.rate + _LOOK_FOR_S
            if envoy.ending.comes(within):
                raise TooLate("Envoy ended although nobody told it to")
            self._stage.line(name, "Envoy is still running, and would for ever")
            return None
        gone_at = envoy.gone(self._patience)
        self._stage.line(name, "Envoy is gone", gone_at)
        return gone_at

    def _verdict(self, agent: Agent) -> str | None:
        verdict = agent.verdict()
        route: str | None = verdict["route"]
        cut_off = verdict["undelivered"]["bytes"]
        self._stage.line("exeunt", f"the agent's verdict: proxy {verdict['proxy']} by {route}, {cut_off:,} bytes undelivered")
        return route

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stage.fall_silent()
        self._ready.abort()
        for scene in self._scenes.values():
            scene.close()
