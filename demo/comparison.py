"""Runs the cases side by side. Each has an Envoy, a server and a task of its own; the tasks begin at the same moment."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from arguments import Options
from cases import Case, Pod, named
from harness.envoy import Envoy
from harness.scene import Scene
from harness.upstream import Upstream
from harness.wait import TooLate
from output import Output
from result import Result, thinned

# How long a proxy that nobody ends is watched beyond the time of its upload. exeunt needs milliseconds.
_WATCH_S = 2.0
# Beyond the time of the upload. Only a machine that is stuck needs longer.
_PATIENCE_S = 30.0


class Comparison:
    """Runs the cases in threads. At the end of the `with` block everything that it started has ended."""

    def __init__(self, output: Output, options: Options, folder: Path) -> None:
        self._output = output
        self._options = options
        self._cases = [named(name) for name in options.only]
        for case in self._cases:
            (folder / case.name).mkdir()
        self._size = options.megabytes * 1_000_000
        self._upload_s = self._size / options.rate
        self._patience_s = self._upload_s + _PATIENCE_S
        self._scenes = {case.name: Scene(folder / case.name, version=options.envoy) for case in self._cases}
        self._ready = threading.Barrier(len(self._cases), action=self._begin)
        self._stopped = threading.Event()
        self._zero = 0.0
        self._results: dict[str, Result] = {}
        self._failures: list[BaseException] = []

    def run(self) -> tuple[Result, ...]:
        """Runs all cases to their ends."""
        options, say = self._options, self._output.say
        say(f"Envoy {options.envoy} with the sidecar configuration of Istio 1.29.6. Cases: {', '.join(options.only)}.")
        upload = f"uploads {options.megabytes} MB to a server that reads {options.rate:,} bytes per second"
        say(f"Each task {upload}, and exits at once.")
        say(f"Starting Envoys, servers and tasks; after that it takes about {self._upload_s + _WATCH_S:.0f} s …\n")
        threads = [threading.Thread(target=self._run_one, args=(case,), daemon=True) for case in self._cases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failures:
            # The first is the cause: it has broken the barrier of the others.
            raise self._failures[0]
        return tuple(self._results[case.name] for case in self._cases)

    def _begin(self) -> None:
        self._zero = time.monotonic()
        self._output.start_clock(self._zero)
        self._output.line("all", "the tasks begin to upload")

    def _run_one(self, case: Case) -> None:
        try:
            self._results[case.name] = self._play(case, self._scenes[case.name])
        except BaseException as failure:  # noqa: BLE001 (the main thread raises it again)
            self._failures.append(failure)
            self._ready.abort()

    def _play(self, case: Case, scene: Scene) -> Result:
        upstream = scene.upstream(rate=self._options.rate)
        envoy = scene.envoy(pilot_agent=True)
        task = scene.task(size=self._size)
        agent = None if case.agent is None else scene.agent(task, *case.agent)
        pod = Pod(envoy, agent, lambda text: self._output.line(case.name, text), self._sleep, self._patience_s)
        self._ready.wait()
        task.begin()
        written: int = task.report("written", self._patience_s)["bytes"]
        task.wait()
        exit_at = task.ending.wait(0)
        arrived = f"{upstream.arrived() / 1e6:.1f} MB have arrived"
        self._output.line(case.name, f"the task has written {written / 1e6:.1f} MB and exits; {arrived}", exit_at)
        with ThreadPoolExecutor() as watchers:
            arrival = watchers.submit(self._watch_arrival, case, upstream)
            departure = watchers.submit(self._watch_proxy, case, envoy)
            route = case.end(pod)
            delivered = arrival.result()
            gone_at = departure.result()
        seen_until = time.monotonic() if gone_at is None else gone_at
        return Result(
            name=case.name,
            exit_to_gone_ms=None if gone_at is None else round((gone_at - exit_at) * 1000, 1),
            written=written,
            delivered=delivered,
            route=route,
            task_exit_ms=self._ms(exit_at),
            seen_until_ms=self._ms(seen_until),
            arrivals=self._arrivals(upstream),
        )

    def _watch_arrival(self, case: Case, upstream: Upstream) -> int:
        (delivery,) = upstream.deliveries(within=self._patience_s)
        how = "" if delivery.in_order else ", and then a reset"
        self._output.line(case.name, f"the server has {delivery.bytes / 1e6:.1f} MB{how}", delivery.at)
        return delivery.bytes

    def _watch_proxy(self, case: Case, envoy: Envoy) -> float | None:
        if not case.ends:
            if envoy.ending.comes(self._upload_s + _WATCH_S):
                raise TooLate("Envoy has ended although nobody told it to")
            self._output.line(case.name, "Envoy is still running; nothing will end it")
            return None
        gone_at = envoy.gone(self._patience_s)
        self._output.line(case.name, "Envoy is gone", gone_at)
        return gone_at

    def _arrivals(self, upstream: Upstream) -> tuple[tuple[float, int], ...]:
        (delivery,) = upstream.deliveries(within=0)
        progress = [(report["at"], report["bytes"]) for report in upstream.reports if report["event"] == "progress"]
        started = next(report["at"] for report in upstream.reports if report["event"] == "accepted")
        points = [(started, 0), *progress, (delivery.last_at, delivery.bytes)]
        return thinned([(self._ms(at), count) for at, count in points])

    def _ms(self, at: float) -> float:
        return round((at - self._zero) * 1000, 1)

    def _sleep(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            raise TooLate("the demo was stopped")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._output.close()
        self._stopped.set()
        self._ready.abort()
        for scene in self._scenes.values():
            scene.close()
