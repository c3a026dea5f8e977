"""Other pods, and people with rights in the namespace, look for a way to the signal listener."""

from functools import partial

from ... import messages
from ...errors import Refused, Skip
from ...scenario import Scenario
from ...scenario_run import ScenarioRun
from ...shape import Shape, Task
from .attack import SIGNAL_PORT, address, beside, events, outsider, script, sidecar, wait_event

# The port of the pod's application.
_APP = 8080
# That of an ingress listener which leads to the signal listener.
_INGRESS = 7777
# Every port of istio-proxy (istio.io, "Ports used by Istio"), the signal port and the application.
_PORTS = (15000, 15001, 15004, 15006, 15008, 15020, 15021, 15053, 15090, SIGNAL_PORT, _APP)
# The forms that do not reach the filter within the pod: it is no TLS listener, and Envoy itself refuses CONNECT by HTTP/2.
_NOT_WITHIN = 2
_ACCEPTED = 202
_REFUSED = 403
_WHERE = {True: "in the mesh", False: "outside of the mesh"}


def _victim(application: str) -> Shape:
    """A pod whose application ends when it is told so; then it tries the same probes from within."""
    probe = f"prober.py 127.0.0.1 {SIGNAL_PORT} status"
    return Shape(tasks=(Task(command=script(f"servers.py {application} {_APP}", probe)),))


def _prober(host: str, ports: tuple[int, ...], *, mesh: bool) -> Shape:
    words = f"prober.py {host} {','.join(map(str, ports))} both --end {_APP}"
    return outsider(*script(words), mesh=True) if mesh else outsider("sh", "-c", f"exec python3 /e2e/{words}")


def _check_undisturbed(run: ScenarioRun) -> None:
    """The filter has heard of no completion before the task's own end, and the pod has ended as if nothing had been tried."""
    states = [event["state"] for event in events(run, "state")]
    run.check(bool(states) and set(states) == {"serving"}, f"the filter's states were {sorted(set(states))}, not serving alone")
    run.wait_ended()
    run.check_end(route=messages.BY_FILTER)


def _probed(mesh: bool, run: ScenarioRun) -> None:
    run.start(_victim("app"))
    wait_event(run, "state")
    with beside(run, "prober", _prober(address(run), _PORTS, mesh=mesh)) as prober:
        wait_event(prober, "told")
        done = events(prober, "probes")[0]
        for probe in events(prober, "probe"):
            run.check(not probe["reached"], f"reached the filter: {probe['probe']}: {probe['answer']}")
        # The way to the pod is open: otherwise no probe has tested anything.
        hello = [probe for probe in events(prober, "probe") if "hello" in probe["answer"]]
        run.check(bool(hello), "no probe has reached the pod's application, so this scenario has tested nothing")
    _check_undisturbed(run)
    within = events(run, "probes")[0]
    run.check(
        within["reached"] == within["probes"] - _NOT_WITHIN, f"within the pod {within} reach the filter: the probes are wrong"
    )
    run.note(f"{done['probes']} probes reach nothing; within the pod {within['reached']} of {within['probes']} forms do")


def _ingress(mesh: bool, run: ScenarioRun) -> None:
    port = {"number": _INGRESS, "protocol": "HTTP", "name": "http-in"}
    with sidecar(run, run.name, ingress=[{"port": port, "defaultEndpoint": f"127.0.0.1:{SIGNAL_PORT}"}]):
        run.start(_victim("app"))
        wait_event(run, "state")
        with beside(run, "prober", _prober(address(run), (_INGRESS,), mesh=mesh)) as prober:
            wait_event(prober, "told")
            probes = events(prober, "probe")
        statuses = [probe for probe in probes if probe["probe"].startswith("status") and probe["reached"]]
        run.check(bool(statuses), "no probe has reached the filter, so this scenario has tested nothing")
        for probe in probes:
            accepted = f" {_ACCEPTED} " in probe["answer"].split("\r\n")[0]
            run.check(not accepted, f"the filter takes a completion from another pod: {probe['probe']}: {probe['answer']}")
        _check_undisturbed(run)
    run.note(f"{len(statuses)} of {len(probes)} probes read the status; no completion is accepted")


def _open_proxy(mesh: bool, run: ScenarioRun) -> None:
    run.start(_victim("open-proxy"))
    wait_event(run, "state")
    words = f"intruder.py through {address(run)}:{_APP}"
    shape = outsider(*script(words), mesh=True) if mesh else outsider("sh", "-c", f"exec python3 /e2e/{words}")
    with beside(run, "prober", shape) as prober:
        prober.wait_main_ended()
        first = wait_event(prober, "posted")
    asked = next(event for event in events(run, "asked") if event["asked"].endswith("/v1/complete"))
    run.check(first["status"] == _REFUSED, f"the filter answers a completion that came through a proxy with {first}")
    _check_undisturbed(run)
    run.note(f"refused: {first['answer']}; the headers were {', '.join(asked['headers'])}")


def _forwarded(run: ScenarioRun) -> None:
    run.start(_victim("app"))
    wait_event(run, "state")
    pod = run.wait("the pod", lambda _pod: True)
    sent = b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    end = b"POST /end HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    try:
        answers = [
            run.site.kube.forward(run.site.namespace, pod["metadata"]["name"], port, bytes_)
            for port, bytes_ in ((SIGNAL_PORT, sent), (_APP, end))
        ]
    except Refused as error:
        raise Skip(f"this cluster forwards no port to a pod: {error}") from error
    run.check(
        b'"serving"' in answers[0], f"kubectl port-forward no longer reaches the filter, as docs/security.md says: {answers[0]!r}"
    )
    _check_undisturbed(run)


SCENARIOS = (
    *(
        Scenario(
            f"trust-probes-{'mesh' if mesh else 'outside'}",
            f"no request of a pod {where} reaches the signal listener: not by any port, form or forged header",
            partial(_probed, mesh),
        )
        for mesh, where in _WHERE.items()
    ),
    *(
        Scenario(
            f"trust-ingress-{'mesh' if mesh else 'outside'}",
            f"where a Sidecar resource leads to the signal listener, the filter takes no completion of a pod {where}",
            partial(_ingress, mesh),
        )
        for mesh, where in _WHERE.items()
    ),
    *(
        Scenario(
            f"trust-open-proxy-{'mesh' if mesh else 'outside'}",
            f"the filter takes no completion of a pod {where} by an application that passes on requests with their headers",
            partial(_open_proxy, mesh),
        )
        for mesh, where in _WHERE.items()
    ),
    Scenario("trust-port-forward", "whoever may forward a port of the pod reaches the filter, as documented", _forwarded),
)
