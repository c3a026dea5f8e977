"""`kubectl exeunt reap` and `controller` on real pods that hang. Each sees the pod of its own scenario only, by its label."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import LABEL, Shape
from .command import kubectl, name_of, program
from .common import MB, SIZE, upload_task

Json = dict[str, Any]

# The least that `--stuck-for` takes.
_STUCK_S = 30
# The receiver is slow enough to read still when the pod counts as stuck: the proxy has some 10 MB then.
_RATE = MB // 4
_STOP_S = 30
_REAP_LABEL = "exeunt.dev/reap"


def _words(run: ScenarioRun, *more: str) -> tuple[str, ...]:
    image = run.site.where.agent_image
    return ("--stuck-for", str(_STUCK_S), "-l", f"{LABEL}={run.name}", "--image", image, *more)


def _reap(run: ScenarioRun, *more: str) -> tuple[int, str]:
    return kubectl(run, "reap", *_words(run, *more))


def _shape() -> Shape:
    return Shape(agent="none", drain="", listener=False, tasks=upload_task(size=SIZE, rate=_RATE))


def _containers(run: ScenarioRun) -> list[str]:
    """The names of what was added to the pod."""
    pod = run.watched.pod(run.name) or {}
    return [container["name"] for container in pod.get("spec", {}).get("ephemeralContainers", [])]


def _reasons(run: ScenarioRun) -> list[str]:
    """The reasons of the Events that the command has written on the pod."""
    events = (run.site.kube.read("Event", run.namespace) or {"items": []})["items"]
    name = name_of(run)
    own = [event for event in events if event["involvedObject"].get("name") == name]
    return [event["reason"] for event in own if event.get("reportingComponent") == "exeunt"]


def _wait_due(run: ScenarioRun) -> None:
    run.wait_until("the pod to be due", lambda: "would be ended" in _reap(run)[1], 3.0 * _STUCK_S)


def _check_ended(run: ScenarioRun) -> None:
    run.wait_ended()
    run.wait_received()
    run.observe()
    run.check(run.facts.phase == "Succeeded", f"the pod is {run.facts.phase}")
    run.check_delivered(SIZE)
    run.check(len(_containers(run)) == 1, f"the pod has got {_containers(run)}")
    run.wait_until("the Event", lambda: _reasons(run) == ["ProxyEnded"], _STOP_S)


def _once(run: ScenarioRun) -> None:
    """A dry run leaves the pod as it is; the next run ends it while the receiver still reads."""
    program()
    run.start(_shape())
    run.wait_main_ended()
    _wait_due(run)
    run.check(not _containers(run), "the dry run has added a container")
    code, text = _reap(run, "--dry-run=false")
    run.check(code == 0 and "everything is delivered" in text, f"reap exits with {code}: {text}")
    _check_ended(run)


def _opted_out(run: ScenarioRun) -> None:
    """A pod with the label is left alone, and it is the label that keeps it."""

    def refusing(job: Json) -> Json:
        job["spec"]["template"]["metadata"].setdefault("labels", {})[_REAP_LABEL] = "off"
        return job

    program()
    run.start_changed(_shape(), refusing)
    run.wait_main_ended()
    # After that the pod would be due, as the end shows.
    run.site.stop.wait(1.5 * _STUCK_S)
    code, text = _reap(run, "--dry-run=false")
    run.check(code == 0 and not text.strip(), f"reap exits with {code}: {text}")
    run.check(not _containers(run), "the pod has got a container")
    run.site.kube.patch("Pod", run.namespace, name_of(run), {"metadata": {"labels": {_REAP_LABEL: None}}})
    code, text = _reap(run, "--dry-run=false")
    run.check(code == 0 and "istio-proxy is gone" in text, f"reap exits with {code}: {text}")
    run.wait_ended()


@contextmanager
def _controller(run: ScenarioRun, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    line = [str(program()), "--kubeconfig", str(run.site.options.kubeconfig), "--namespace", run.namespace, "controller"]
    words = _words(run, "--dry-run=false", "--metrics-address", "127.0.0.1:0", "--lease-namespace", run.namespace)
    with log.open("wb") as out, subprocess.Popen([*line, *words], stdout=out, stderr=subprocess.STDOUT) as running:
        try:
            yield running
        finally:
            running.kill()


def _told(log: str) -> str:
    """What a controller says, without where it serves its metrics: the port is another one in each run."""
    return "; ".join(line for line in log.splitlines() if not line.startswith("serves "))


def _by_controllers(run: ScenarioRun) -> None:
    """Two controllers at once: the one with the Lease adds one container, and both stop when they are told."""
    program()
    with TemporaryDirectory() as folder:
        logs = [Path(folder) / name for name in ("first", "second")]
        with _controller(run, logs[0]) as first, _controller(run, logs[1]) as second:
            run.start(_shape())
            _check_ended(run)
            for running in (first, second):
                running.terminate()
            codes = [running.wait(_STOP_S) for running in (first, second)]
        texts = [log.read_text() for log in logs]
        for number, text in enumerate(texts, 1):
            run.note(f"controller {number}: {_told(text)}")
        run.check(codes == [0, 0], f"the controllers exit with {codes}: {texts}")
        run.check(sum("the agent drains istio-proxy" in text for text in texts) == 1, f"not one of them has ended it: {texts}")


SCENARIOS = (
    Scenario("reap-once", "kubectl exeunt reap ends a pod that hangs, loses nothing, and does nothing in a dry run", _once),
    Scenario("reap-opt-out", "kubectl exeunt reap leaves a pod alone that has the label", _opted_out),
    Scenario("controller-reaps", "of two controllers one ends a pod that hangs", _by_controllers),
)
