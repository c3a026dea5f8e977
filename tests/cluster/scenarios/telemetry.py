"""Access logs, spans and metrics of a task that ends at once: all of them arrive.

A provider of Istio's Telemetry API is part of the mesh's configuration, which a run must not change. So an EnvoyFilter in the
run's own namespace writes what istiod writes for such a provider. The addresses of Zipkin and statsd are in an annotation.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from .. import messages
from ..errors import Refused, RunError, Skip
from ..scenario import Scenario
from ..scenario_run import ScenarioRun
from ..shape import LABEL, PROXY, Istio, Shape, Task
from .common import FORM, outcome
from .second_pod import address, beside, events, outsider

Json = dict[str, Any]
Tracer = Literal["zipkin", "opentelemetry"]

_REQUESTS = 5
_TOLD = {f"/told-{10_000_000 + one}" for one in range(_REQUESTS)}
# The paths of the agent's own requests.
_OURS = "/v1/"
# The containers of the collecting pod and their ports: one for each thing that Envoy sends, and the server of the requests.
_COLLECTORS = {"als": 4317, "logs": 4318, "spans": 4319}
_SERVER, _SERVER_PORT = "server", 8080
_STATSD, _STATSD_PORT = "statsd", 9125
# How long the loggers' interval of a second may take on a busy node.
_ARRIVE_S = 10.0
# The longest wait of the agent, and the time in which a pod ends.
_END_S = 20
_FORBIDDEN = 403
_TYPES = "type.googleapis.com/envoy.extensions"
_HTTP_MANAGER = "filters.network.http_connection_manager"


def _collecting() -> Shape:
    collectors = [
        Task(name=name, command=("python3", "/e2e/collector.py", "--listen", "", "--port", str(port)))
        for name, port in _COLLECTORS.items()
    ]
    server = Task(name=_SERVER, command=("python3", "/e2e/servers.py", "sink", str(_SERVER_PORT)))
    statsd = Task(name=_STATSD, command=("python3", "/e2e/statsd.py", str(_STATSD_PORT)))
    return replace(outsider(), tasks=(*collectors, server, statsd))


@contextlib.contextmanager
def _object(run: ScenarioRun, body: Json) -> Iterator[Json]:
    """An object of the cluster that is deleted at the end of the `with` block."""
    kube, namespace = run.site.kube, run.site.namespace
    try:
        made = kube.create(namespace, body)
    except Refused as error:
        if error.status != _FORBIDDEN:
            raise
        raise Skip(f"no right to create an object {body['kind']}: {error}") from error
    try:
        yield made
    finally:
        kube.delete(body["kind"], namespace, body["metadata"]["name"])


def _service(run: ScenarioRun) -> Json:
    """The names of the ports tell Istio their protocols."""
    protocols = {"als": "grpc", "logs": "grpc", "spans": "http", "server": "http"}
    ports = [{"name": f"{protocols[name]}-{name}", "port": port} for name, port in {**_COLLECTORS, _SERVER: _SERVER_PORT}.items()]
    # The tracer of OpenTelemetry speaks gRPC to the port that takes Zipkin's spans, too.
    ports.append({"name": "grpc-spans", "port": _COLLECTORS["spans"] + 1, "targetPort": _COLLECTORS["spans"]})
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": run.name},
        "spec": {"selector": {LABEL: f"{run.name}-collector"}, "ports": ports},
    }


def _envoy_filter(run: ScenarioRun, tracer: Tracer) -> Json:
    """Access loggers, and the tracer of OpenTelemetry, for all HTTP connections of the scenario's pod."""

    def service(port: int) -> Json:
        host = f"{run.name}.{run.site.namespace}.svc.cluster.local"
        return {"envoy_grpc": {"cluster_name": f"outbound|{port}||{host}", "authority": host}}

    def logger(name: str, kind: str, config: Json) -> Json:
        return {"name": f"envoy.access_loggers.{name}", "typed_config": {"@type": f"{_TYPES}.access_loggers.{kind}", **config}}

    def common(name: str) -> Json:
        return {"common_config": {"log_name": name, "transport_api_version": "V3", "grpc_service": service(_COLLECTORS[name])}}

    text = "%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE%"
    loggers = [
        logger("http_grpc", "grpc.v3.HttpGrpcAccessLogConfig", common("als")),
        logger(
            "open_telemetry",
            "open_telemetry.v3.OpenTelemetryAccessLogConfig",
            {**common("logs"), "body": {"string_value": text}},
        ),
        logger(
            "file",
            "file.v3.FileAccessLog",
            {"path": "/dev/stdout", "log_format": {"text_format_source": {"inline_string": f"{text}\n"}}},
        ),
    ]
    manager: Json = {"@type": f"{_TYPES}.{_HTTP_MANAGER}.v3.HttpConnectionManager", "access_log": loggers}
    if tracer == "opentelemetry":
        config = {
            "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
            "grpc_service": service(_COLLECTORS["spans"] + 1),
            "service_name": run.name,
        }
        provider = {"name": "envoy.tracers.opentelemetry", "typed_config": config}
        manager["tracing"] = {"random_sampling": {"value": 100}, "provider": provider}
    patch = {
        "applyTo": "NETWORK_FILTER",
        "match": {"listener": {"filterChain": {"filter": {"name": f"envoy.{_HTTP_MANAGER}"}}}},
        "patch": {"operation": "MERGE", "value": {"typed_config": manager}},
    }
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {"name": run.name},
        "spec": {"workloadSelector": {"labels": {LABEL: run.name}}, "configPatches": [patch]},
    }


def _paths(run: ScenarioRun, container: str) -> set[str]:
    """The paths of the requests that a collector was told of."""
    return {path for event in events(run, "paths", container) for path in event["paths"]}


@contextlib.contextmanager
def _request(run: ScenarioRun, tracer: Tracer, shape: Shape, *words: str) -> Iterator[ScenarioRun]:
    """Runs a pod of this shape whose task sends the requests, until it has ended; the collecting pod."""
    with (
        beside(run, "collector", _collecting()) as collector,
        _object(run, _service(run)) as service,
        _object(run, _envoy_filter(run, tracer)),
    ):
        for container in (*_COLLECTORS, _SERVER, _STATSD):
            collector.wait_until(f"{container} to listen", lambda name=container: "listening" in collector.log(name))
        found = service["spec"]["clusterIP"]
        host = f"[{found}]" if ":" in found else found
        task = Task(("request", "--requests", str(_REQUESTS), *words), env=(("E2E_SERVER", f"{host}:{_SERVER_PORT}"),))
        # What the bootstrap names is not known to istiod: it is the address of the pod itself.
        own = address(collector)
        config: Json = {"statsdUdpAddress": f"{own}:{_STATSD_PORT}"}
        # By default only Istio's own metrics are sent, which an Envoy of another build does not have.
        config["proxyStatsMatcher"] = {"inclusionPrefixes": ["cluster.outbound"]}
        if tracer == "zipkin":
            config["tracing"] = {"sampling": 100, "zipkin": {"address": f"{own}:{_COLLECTORS['spans']}"}}
        run.start(replace(shape, tasks=(task,), proxy_config=tuple(config.items())))
        run.wait_ended()
        yield collector


def _told(run: ScenarioRun, collector: ScenarioRun) -> dict[str, int]:
    """How many of the requests each collector, and the log of the proxy, tells of."""
    told = {name: len(_TOLD & _paths(collector, name)) for name in _COLLECTORS}
    told["file"] = sum(path in run.log(PROXY) for path in _TOLD)
    counters = events(collector, "requests", _STATSD)
    told["metrics"] = sum(one["requests"] for one in counters if one["cluster"].startswith(f"outbound|{_SERVER_PORT}|"))
    return told


def _all_arrives(istio: Istio, tracer: Tracer, by_filter: bool, run: ScenarioRun) -> None:
    shape = Shape(istio=istio) if by_filter else Shape(istio=istio, listener=False, drain="")
    with _request(run, tracer, shape) as collector:
        # Only the collector itself can still be late.
        with contextlib.suppress(RunError):
            run.wait_until("all to arrive", lambda: set(_told(run, collector).values()) == {_REQUESTS}, _ARRIVE_S)
        told, spans = _told(run, collector), _paths(collector, "spans")
    without_filter = messages.BY_SOCKETS if istio == "native" else messages.BY_ADMIN
    run.check_end(proxy=outcome(istio), route=messages.BY_FILTER if by_filter else without_filter)
    for name, number in told.items():
        run.check(number == _REQUESTS, f"{name} has {number} of {_REQUESTS} requests")
    ours = sorted(path for path in spans if path.startswith(_OURS))
    run.check(not ours, f"the agent's own requests are spans: {ours}")
    waited = run.facts.verdict_field("telemetryMs")
    run.check(bool(waited), f"the verdict says telemetryMs {waited}: the agent has not seen the loggers")
    run.check_within(run.facts.seconds_after, _END_S, "the end of the pod after its task")
    run.note(f"{told}; telemetryMs {waited}, the pod has ended {run.facts.seconds_after} s after its task")


def _lost(run: ScenarioRun) -> None:
    shape = Shape(agent="none", drain="", exit_on_zero=False)
    with _request(run, "opentelemetry", shape, "--quit") as collector:
        told = _told(run, collector)
    run.observe()
    run.check_phase("Succeeded")
    run.check(min(told.values()) < _REQUESTS, f"nothing is lost: {told}, so the other scenarios show nothing")
    run.note(f"{told}")


# Both tracers and both ways, for each form of the proxy.
_ALL: tuple[tuple[Istio, str, Tracer], ...] = (
    ("classic", "filter", "opentelemetry"),
    ("classic", "admin", "zipkin"),
    ("native", "filter", "zipkin"),
    ("native", "drain", "opentelemetry"),
)

SCENARIOS = (
    *(
        Scenario(
            f"telemetry-{istio}-{way}",
            f"all access logs, spans and metrics of a task that ends at once arrive, beside {FORM[istio]}"
            f"{'' if way == 'filter' else ', without the filter'}",
            partial(_all_arrives, istio, tracer, way == "filter"),
        )
        for istio, way, tracer in _ALL
    ),
    Scenario("telemetry-lost", "Envoy's own quit loses access logs and spans (control)", _lost),
)
