"""In a mesh that allows registered destinations only (REGISTRY_ONLY) exeunt opens no other one."""

from ... import messages
from ...scenario import Scenario
from ...scenario_run import ScenarioRun
from ...shape import Shape, Task
from ..common import SMALL, upload
from ..second_pod import address, beside, events, outsider, wait_event
from .attack import SIGNAL_PORT, script, sidecar

_REGISTERED, _UNKNOWN = "exeunt.internal", "unknown.example"
_ONLY = {"mode": "REGISTRY_ONLY"}
# The port of the pod's own application.
_APP = 8080
# Envoy's answer to a destination that is not allowed.
_NOT_ALLOWED = 502
_OK = 200


def _hole(run: ScenarioRun) -> None:
    """The asking pod has a proxy and neither the label nor exeunt."""
    asks = outsider("python3", "/e2e/servers.py", "sink", str(SIGNAL_PORT))
    with beside(run, "server", asks) as server:
        target = f"{address(server)}:{SIGNAL_PORT}"
        wait_event(server, "listening")
        command = script(f"intruder.py ask {target} {_UNKNOWN} {_REGISTERED}")
        with beside(run, "allowed", outsider(*command, mesh=True)) as allowed:
            allowed.wait_main_ended()
            answers = {event["host"]: event["status"] for event in events(allowed, "host")}
        run.check(answers.get(_UNKNOWN) == _OK, f"without REGISTRY_ONLY the server is not reached: {answers}; this tests nothing")
        before = len(events(server, "asked"))
        run.start(outsider(*command, mesh=True), bare=True)
        run.wait_main_ended()
        answers = {event["host"]: event["status"] for event in events(run, "host")}
        asked = len(events(server, "asked")) - before
    run.check(answers.get(_UNKNOWN) == _NOT_ALLOWED, f"REGISTRY_ONLY is not in force: {answers}; this tests nothing")
    run.check(answers.get(_REGISTERED) != _OK, f"a pod reaches any address by the host name of the ServiceEntry: {answers}")
    run.check(asked == 0, f"the server was asked {asked} times")
    run.facts.phase = "3 pods"
    run.note(f"{_UNKNOWN} is answered with {answers.get(_UNKNOWN)}, {_REGISTERED} with {answers.get(_REGISTERED)}")


def _in_registry_only(run: ScenarioRun) -> None:
    with sidecar(run, run.name, outboundTrafficPolicy=_ONLY, egress=[{"hosts": ["*/*"]}]):
        _hole(run)


def _signal(run: ScenarioRun) -> None:
    with sidecar(run, run.name, outboundTrafficPolicy=_ONLY, egress=[{"hosts": ["*/*"]}]):
        run.start(Shape(listener=False, tasks=(Task(upload(size=SMALL)),)))
        run.wait_ended()
        run.wait_received()
    run.check_end(route=f"{messages.BY_FILTER} 192.0.2.190:{SIGNAL_PORT}")
    run.check_delivered(SMALL)


def _forward(run: ScenarioRun) -> None:
    with (
        beside(run, "server", outsider("python3", "/e2e/servers.py", "sink", str(SIGNAL_PORT))) as server,
        sidecar(run, run.name, outboundTrafficPolicy=_ONLY, egress=[{"hosts": ["*/*"]}]),
    ):
        targets = (f"{address(server)}:{SIGNAL_PORT}", "127.0.0.1:15000", "127.0.0.1:15020", f"127.0.0.1:{_APP}")
        wait_event(server, "listening")
        *shell, attack = script(f"intruder.py forward {' '.join(targets)}")
        run.start(Shape(tasks=(Task(command=(*shell, f"python3 /e2e/servers.py sink {_APP} & {attack}")),)))
        run.wait_ended()
        tried = events(run, "forward")
        asked = [event for event in [*events(server, "asked"), *events(run, "asked")] if event]
    run.check(len(tried) == 2 * len(targets), f"only {len(tried)} requests were sent")
    for event in tried:
        run.check(event["status"] != _OK and event["by_filter"], f"the signal listener passes a request on: {event}")
    run.check(not asked, f"a server was asked: {asked}")
    run.check_end()


SCENARIOS = (
    Scenario(
        "trust-registry-hole",
        "in a mesh with REGISTRY_ONLY no pod reaches any address on the signal port by the ServiceEntry's host name",
        _in_registry_only,
    ),
    Scenario("trust-registry-signal", "the signal by the ServiceEntry works in a mesh with REGISTRY_ONLY", _signal),
    Scenario("trust-forward", "the signal listener passes no request on, neither to loopback nor past REGISTRY_ONLY", _forward),
)
