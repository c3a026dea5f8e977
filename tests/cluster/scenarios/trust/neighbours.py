"""Other pods, and people with rights in the namespace, look for a way to the signal listener."""

import json
from dataclasses import replace
from functools import partial

from ... import messages, observed
from ...errors import Refused, Skip
from ...scenario import Scenario
from ...scenario_run import ScenarioRun
from ...shape import PROXY, Shape, Task
from ..second_pod import address, beside, events, outsider, wait_event
from .attack import SIGNAL_PORT, script, service, sidecar

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


def _check_ends(run: ScenarioRun) -> None:
    """Whatever the filter was told by others: the pod ends when its task has ended."""
    run.wait_ended()
    run.check_end(route="")


def _ingress(mesh: bool, run: ScenarioRun) -> None:
    port = {"number": _INGRESS, "protocol": "HTTP", "name": "http-in"}
    with (
        sidecar(run, run.name, ingress=[{"port": port, "defaultEndpoint": f"127.0.0.1:{SIGNAL_PORT}"}]),
        service(run, run.name, _INGRESS, _APP) as host,
    ):
        run.start(_victim("app"))
        wait_event(run, "state")
        with beside(run, "prober", _prober(host if mesh else address(run), (_INGRESS,), mesh=mesh)) as prober:
            wait_event(prober, "told")
            probes = events(prober, "probe")
        statuses = [probe for probe in probes if probe["probe"].startswith("status") and probe["reached"]]
        run.check(bool(statuses), "no probe has reached the filter, so this scenario has tested nothing")
        accepted = [probe["probe"] for probe in probes if f" {_ACCEPTED} " in probe["answer"].split("\r\n")[0]]
        if mesh:
            run.check(not accepted, f"the filter takes completions of another pod: {', '.join(accepted)}")
            _check_undisturbed(run)
        else:
            _check_ends(run)
    run.note(f"{len(statuses)} of {len(probes)} probes read the status; completions that are accepted: {len(accepted)}")


def _open_proxy(application: str, mesh: bool, run: ScenarioRun) -> None:
    with service(run, run.name, _APP) as host:
        run.start(_victim(application))
        wait_event(run, "state")
        words = f"intruder.py through {host if mesh else address(run)}:{_APP}"
        shape = outsider(*script(words), mesh=True) if mesh else outsider("sh", "-c", f"exec python3 /e2e/{words}")
        with beside(run, "prober", shape) as prober:
            prober.wait_main_ended()
            first = wait_event(prober, "posted")
        asked = next(event for event in events(run, "asked") if event["asked"].endswith("/v1/complete"))
        run.note(f"answered with {first['status']}; the headers were {', '.join(asked['headers'])}")
        if mesh or application == "honest-proxy":
            run.check(first["status"] == _REFUSED, f"the filter answers a completion that came through a proxy with {first}")
            _check_undisturbed(run)
        else:
            _check_ends(run)


def _hbone(run: ScenarioRun) -> None:
    """The prober has what a pod of the mesh can have: its certificate, as pilot-agent writes it for programs that need it."""
    metadata = {"ISTIO_META_HTTP_PROXY_PORT": str(SIGNAL_PORT), "ISTIO_META_ENABLE_HBONE": "true"}
    run.start(replace(_victim("app"), annotations=(_proxy(metadata | {"EXIT_ON_ZERO_ACTIVE_CONNECTIONS": "true"}),)))
    run.wait(
        "the filter's state, or the end of a proxy that knows no HBONE",
        lambda pod: bool(events(run, "state")) or observed.terminated(pod, PROXY) is not None,
    )
    if not events(run, "state"):
        raise Skip("this proxy does not start with ISTIO_META_ENABLE_HBONE")
    host = address(run)
    mount = json.dumps([{"name": "scratch", "mountPath": "/scratch"}])
    shape = replace(
        outsider(mesh=True),
        # The key belongs to the proxy's user.
        tasks=(Task(command=script(f"prober.py {host} hbone /scratch {_APP}", f"intruder.py end {host}:{_APP}"), root=True),),
        annotations=(_proxy({"OUTPUT_CERTS": "/scratch"}), ("sidecar.istio.io/userVolumeMount", mount)),
    )
    with beside(run, "prober", shape) as prober:
        prober.wait_main_ended()
        tunnels = events(prober, "tunnel")
    run.check(bool(tunnels), "the prober has asked for no tunnel")
    for tunnel in tunnels:
        run.check(not tunnel["reached"], f"a tunnel reaches the filter: {tunnel}")
    _check_undisturbed(run)
    if not any(tunnel["answered"] for tunnel in tunnels) and not run.problems:
        raise Skip("this proxy gives no tunnel to its application either: it takes no HBONE")
    run.note(f"{len(tunnels)} tunnels with a certificate of the mesh; none reaches the filter")


def _proxy(metadata: dict[str, str]) -> tuple[str, str]:
    return "proxy.istio.io/config", json.dumps({"proxyMetadata": metadata})


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
    Scenario(
        "trust-ingress-mesh",
        "where a Sidecar resource leads to the signal listener, the filter takes no completion that came by mTLS",
        partial(_ingress, True),
    ),
    Scenario(
        "trust-ingress-outside",
        "where a Sidecar resource leads to the signal listener, a pod outside of the mesh keeps no proxy",
        partial(_ingress, False),
    ),
    Scenario(
        "trust-open-proxy-mesh",
        "the filter takes no completion that came by mTLS, through an application that passes on requests with their headers",
        partial(_open_proxy, "open-proxy", True),
    ),
    Scenario(
        "trust-open-proxy-honest",
        "the filter takes no completion through an application that passes on requests and says so",
        partial(_open_proxy, "honest-proxy", False),
    ),
    Scenario(
        "trust-open-proxy-outside",
        "through an application that passes on requests and hides it, a pod outside of the mesh keeps no proxy",
        partial(_open_proxy, "open-proxy", False),
    ),
    Scenario(
        "trust-hbone", "a pod of the mesh gets no tunnel to the signal listener by HBONE, with a certificate of the mesh", _hbone
    ),
    Scenario("trust-port-forward", "whoever may forward a port of the pod reaches the filter, as documented", _forwarded),
)
