"""The configuration that istiod gave to a real sidecar, adapted to this machine."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .network import Address
from .paths import FIXTURES
from .ports import Ports

Json = Any

# The two ways in which a completion reaches the filter, and the recorded configuration of each.
LOOPBACK = "loopback"
SERVICE_ENTRY = "service-entry"
_FILES = {
    (LOOPBACK, "1.29.6"): "sidecar-1.29.6.json",
    (LOOPBACK, "1.30.3"): "sidecar-1.30.3.json",
    (SERVICE_ENTRY, "1.29.6"): "sidecar-serviceentry-1.29.6.json",
}
_WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"
_RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
_HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_EXTENSION = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
_DISCOVERED = "@DISCOVERED@"
_LISTENERS = "@LISTENERS@"
_LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
_STATUS = "sidecar.istio.io/status"
_MANAGER = "envoy.filters.network.http_connection_manager"
_SERVICE_ENTRY_CLUSTER = "outbound|15190||exeunt.internal"
# What Istio does with a destination that no service has: it passes, or under REGISTRY_ONLY it ends here.
_PASSES, _ENDS = "PassthroughCluster", "BlackHoleCluster"

# Without capture: the addresses to which capture would redirect. Each is a loopback address that nothing else has, because the
# filter decides by a listener's address.
_TCP_BACKEND = "127.99.0.10"
_SIGNAL_BY_SERVICE_ENTRY = "127.99.2.190"


@dataclass(frozen=True)
class Places:
    """The addresses of the sidecar's listeners, as a client in the pod uses them."""

    admin: Address = ("127.0.0.1", 15000)
    pilot_agent: Address = ("127.0.0.1", 15020)
    health: Address = ("127.0.0.1", 15021)
    prometheus: Address = ("127.0.0.1", 15090)
    signal: Address = ("127.0.0.1", 15190)
    tcp: Address = ("10.99.0.10", 9000)
    http: Address = ("10.99.0.10", 8080)


class Sidecar:
    """One sidecar's configuration and the addresses of its listeners."""

    def __init__(self, route: str = LOOPBACK, istio: str = "1.29.6") -> None:
        """Istio's own configuration: the ports of a real pod, and no bound port for the listeners that need capture."""
        self.route = route
        self.document: Json = json.loads((FIXTURES / _FILES[route, istio]).read_text())
        signal = "127.0.0.1" if route == LOOPBACK else "192.0.2.190"
        self.places = Places(signal=(signal, 15190))
        self.plugin_config: Json = {}
        self._discovered: list[Json] = []
        self._discovers_listeners = False
        self._version = 0
        self._ports: Ports | None = None
        self.injected(None, "base", "exeunt")

    # === What Envoy tells about its pod ===

    def injected(self, form: str | None, *regular: str) -> None:
        """Sets what Envoy tells about its pod: the form of the proxy (`native`, `classic`, or None), and the regular containers.

        It is in the node metadata that pilot-agent writes.
        """
        metadata = self.document["node"]["metadata"]
        metadata["APP_CONTAINERS"] = ",".join(regular)
        annotations = {name: value for name, value in metadata.get("ANNOTATIONS", {}).items() if name != _STATUS}
        if form is not None:
            status = {
                "native": {"initContainers": ["istio-init", "istio-proxy"], "containers": None},
                "classic": {"initContainers": ["istio-init"], "containers": ["istio-proxy"]},
            }
            annotations[_STATUS] = json.dumps(status[form])
        metadata["ANNOTATIONS"] = annotations

    # === Addresses ===

    def without_capture(self) -> None:
        """Moves every listener to a free port on loopback, and binds the listeners that would need capture."""
        self._ports = Ports()
        admin, agent, health, prometheus, signal, tcp, http, outbound, inbound, *_ = self._ports.numbers
        signal_host = "127.0.0.1" if self.route == LOOPBACK else _SIGNAL_BY_SERVICE_ENTRY
        self.places = Places(
            admin=("127.0.0.1", admin),
            pilot_agent=("127.0.0.1", agent),
            health=("127.0.0.1", health),
            prometheus=("127.0.0.1", prometheus),
            signal=(signal_host, signal),
            tcp=(_TCP_BACKEND, tcp),
            http=("127.0.0.1", http),
        )
        self.plugin_config |= {"signal": {"port": signal, "addresses": [signal_host]}}
        moved = {
            15090: self.places.prometheus,
            15021: self.places.health,
            15190: self.places.signal,
            9000: self.places.tcp,
            8080: self.places.http,
            15001: ("127.0.0.1", outbound),
            15006: ("127.0.0.1", inbound),
        }
        for listener in self.document["static_resources"]["listeners"]:
            address = listener["address"]["socket_address"]
            if address["port_value"] in moved:
                address["address"], address["port_value"] = moved[address["port_value"]]
                listener["bind_to_port"] = True
        self.document["admin"]["address"]["socket_address"]["port_value"] = admin
        self.cluster_at("prometheus_stats", self.places.admin)
        self.cluster_at("agent", self.places.pilot_agent)

    def with_ipv6(self, backend: str) -> None:
        """For a dual-stack pod without capture: binds the listener of backend.example to its IPv6 address."""
        for listener in self.document["static_resources"]["listeners"]:
            address = listener["address"]["socket_address"]
            if address["port_value"] == self.places.tcp[1]:
                address["address"], listener["bind_to_port"] = backend, True
        self.places = replace(self.places, tcp=(backend, self.places.tcp[1]))

    def without_ipv4(self) -> None:
        """Moves all other addresses from IPv4 to IPv6, as Istio does in a pod that has only IPv6."""
        moved = {"127.0.0.1": "::1", "0.0.0.0": "::"}  # noqa: S104
        for listener in self.document["static_resources"]["listeners"]:
            address = listener["address"]["socket_address"]
            address["address"] = moved.get(address["address"], address["address"])
        admin = ("::1", self.places.admin[1])
        self.document["admin"]["address"]["socket_address"]["address"] = admin[0]
        self.cluster_at("prometheus_stats", admin)
        self.cluster_at("agent", ("::1", self.places.pilot_agent[1]))
        self.places = replace(self.places, admin=admin, signal=("::1", self.places.signal[1]))

    def admin_at(self, port: int) -> None:
        """Moves Envoy's admin interface, as `proxyAdminPort` does."""
        host, _ = self.places.admin
        self.places = replace(self.places, admin=(host, port))
        self.document["admin"]["address"]["socket_address"]["port_value"] = port
        self.cluster_at("prometheus_stats", self.places.admin)

    def backend_at(self, *, tcp: Address | None = None, http: Address | None = None) -> None:
        """Sets the address of backend.example's server."""
        if tcp is not None:
            self.cluster_at("outbound|9000||backend.example", tcp)
        if http is not None:
            self.cluster_at("outbound|8080||backend.example", http)

    def cluster_at(self, name: str, address: Address) -> None:
        """Sets the address of a cluster's only endpoint."""
        endpoint = _socket_address(self._cluster(name))
        endpoint["address"], endpoint["port_value"] = address

    def _cluster(self, name: str) -> Json:
        (cluster,) = (one for one in self.document["static_resources"]["clusters"] if one["name"] == name)
        return cluster

    def release(self) -> None:
        """Releases the ports after every listener has ended."""
        if self._ports is not None:
            self._ports.release()

    # === The plugin ===

    def _chains(self) -> Iterator[Json]:
        for listener in self.document["static_resources"]["listeners"]:
            yield from listener.get("filter_chains", [])
            if "default_filter_chain" in listener:
                yield listener["default_filter_chain"]

    def _http_filters(self) -> Iterator[list[Json]]:
        for chain in self._chains():
            for network_filter in chain["filters"]:
                if network_filter["name"] == _MANAGER:
                    yield network_filter["typed_config"]["http_filters"]

    def plugins(self) -> list[Json]:
        """Every HTTP filter that is the plugin."""
        filters = [one for chain in self._http_filters() for one in chain]
        return [one for one in filters if one.get("typed_config", {}).get("@type") == _WASM]

    def match_everywhere(self) -> None:
        """Puts the plugin on every HTTP listener, as a WasmPlugin without `match` does."""
        (plugin,) = self.plugins()
        for chain in self._http_filters():
            if plugin not in chain:
                chain.insert(0, copy.deepcopy(plugin))

    def discover_plugin(self) -> None:
        """Gives the plugin's configuration by discovery (ECDS), as istiod does, from a file beside the bootstrap.

        A bad plugin in the bootstrap makes Envoy reject the whole bootstrap; by discovery Envoy rejects only the plugin.
        """
        for plugin in self.plugins():
            resource = {"@type": _EXTENSION, "name": plugin["name"], "typed_config": plugin.pop("typed_config")}
            self._discovered.append(resource)
            source = {"path_config_source": {"path": _DISCOVERED}, "initial_fetch_timeout": "0s", "resource_api_version": "V3"}
            plugin["config_discovery"] = {"config_source": source, "type_urls": [_WASM, _RBAC]}

    def plugin_not_fetched(self) -> None:
        """Replaces the plugin as pilot-agent does when it cannot fetch the module of a plugin that fails open.

        The replacement is an RBAC filter without rules, which lets everything pass (istio pkg/wasm/convert.go).
        """
        for plugin in [*self.plugins(), *self._discovered]:
            plugin["typed_config"] = {"@type": _RBAC}

    def use_remote_address(self) -> None:
        """Lets Envoy add `x-forwarded-for`, as on outbound listeners where istiod has PILOT_SIDECAR_USE_REMOTE_ADDRESS."""
        for chain in self._chains():
            for network_filter in chain["filters"]:
                if network_filter["name"] == _MANAGER:
                    network_filter["typed_config"]["use_remote_address"] = True

    def hold_applications(self) -> None:
        """Sets `holdApplicationUntilProxyStarts` in the node metadata, from which the agent reads it."""
        self.document["node"]["metadata"]["PROXY_CONFIG"]["holdApplicationUntilProxyStarts"] = True

    def count_connections(self) -> None:
        """Lets Envoy count the connections of its listeners, as EXIT_ON_ZERO_ACTIVE_CONNECTIONS does.

        See istio pkg/bootstrap/config.go.
        """
        self.document["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"].append({"suffix": "downstream_cx_active"})

    def without_plugin(self) -> None:
        """Removes the plugin."""
        for chain in self._http_filters():
            chain[:] = [one for one in chain if one.get("typed_config", {}).get("@type") != _WASM]

    # === The mesh ===

    def registry_only(self) -> None:
        """Allows registered destinations only, as `outboundTrafficPolicy: REGISTRY_ONLY` does.

        See istio pilot/pkg/networking/core/route/route.go and networkfilter.go.
        """
        for chain in self._chains():
            for network_filter in chain["filters"]:
                config = network_filter["typed_config"]
                if config.get("cluster") == _PASSES:
                    config["cluster"] = config["stat_prefix"] = _ENDS
                for host in config.get("route_config", {}).get("virtual_hosts", []):
                    if host["name"] == "allow_any":
                        blocked = {"name": "block_all", "match": {"prefix": "/"}, "direct_response": {"status": 502}}
                        host |= {"name": "block_all", "routes": [blocked]}

    def service_entry_without_resolution(self) -> None:
        """Makes the ServiceEntry's cluster that of `resolution: NONE`: it connects to whatever address was asked for."""
        cluster = self._cluster(_SERVICE_ENTRY_CLUSTER)
        del cluster["load_assignment"]
        cluster |= {"type": "ORIGINAL_DST", "lb_policy": "CLUSTER_PROVIDED"}

    def service_entry_endpoint(self) -> Address:
        """Where the ServiceEntry's cluster leads."""
        endpoint = _socket_address(self._cluster(_SERVICE_ENTRY_CLUSTER))
        return endpoint["address"], endpoint["port_value"]

    def without_signal_listener(self) -> None:
        """Removes the signal listener, and with it the plugin: the pod has no annotation for them."""
        listeners = self.document["static_resources"]["listeners"]
        port = self.places.signal[1]
        listeners[:] = [one for one in listeners if one["address"]["socket_address"]["port_value"] != port]

    # === Telemetry ===

    def discover_listeners(self) -> None:
        """Gives the listeners by discovery (LDS), as istiod does, from a file beside the bootstrap."""
        self._discovers_listeners = True

    def send_telemetry(
        self,
        *,
        als: Address | None = None,
        flush: str = "1s",
        logs: Address | None = None,
        tracer: tuple[str, Address] | None = None,
    ) -> None:
        """Lets Envoy send telemetry, as providers of Istio's Telemetry API do.

        Access logs go to an access log service, which gets them every `flush`, or to OpenTelemetry; the spans of all requests
        go to `zipkin` or `opentelemetry`.
        """
        self.discover_listeners()
        loggers = []
        if als is not None:
            common = {"log_name": "als", "transport_api_version": "V3", "buffer_flush_interval": flush}
            common["grpc_service"] = self._collector("als", als)
            of_http = "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"
            loggers.append(_extension("envoy.access_loggers.http_grpc", of_http, {"common_config": common}))
        if logs is not None:
            common = {"log_name": "logs", "transport_api_version": "V3", "grpc_service": self._collector("logs", logs)}
            config = {"common_config": common, "body": {"string_value": "%REQ(:PATH)%"}}
            of_otel = "envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig"
            loggers.append(_extension("envoy.access_loggers.open_telemetry", of_otel, config))
        provider: Json = None
        match tracer:
            case ("zipkin", address):
                service = self._collector("spans", address, http2=False)
                config = {"collector_cluster": service["envoy_grpc"]["cluster_name"], "collector_endpoint": "/api/v2/spans"}
                config |= {"collector_endpoint_version": "HTTP_JSON"}
                provider = _extension("envoy.tracers.zipkin", "envoy.config.trace.v3.ZipkinConfig", config)
            case ("opentelemetry", address):
                config = {"grpc_service": self._collector("spans", address), "service_name": "pod"}
                provider = _extension("envoy.tracers.opentelemetry", "envoy.config.trace.v3.OpenTelemetryConfig", config)
        for manager in self._traced_managers():
            manager["access_log"] = [*manager.get("access_log", []), *loggers]
            if provider is not None:
                manager["tracing"] |= {"random_sampling": {"value": 100}, "provider": provider}

    def send_metrics(self, statsd: Address, every: str) -> None:
        """Lets Envoy send its metrics, as `statsdUdpAddress` of the annotation proxy.istio.io/config does.

        As with `proxyStatsMatcher` of the annotation, the counters of the clusters are among them.
        """
        self.document["node"]["metadata"]["PROXY_CONFIG"]["statsdUdpAddress"] = f"{statsd[0]}:{statsd[1]}"
        address = {"socket_address": {"address": statsd[0], "port_value": statsd[1]}}
        of_statsd = "envoy.config.metrics.v3.StatsdSink"
        self.document["stats_sinks"] = [_extension("envoy.stat_sinks.statsd", of_statsd, {"address": address})]
        self.document["stats_flush_interval"] = every
        self.document["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"].append({"prefix": "cluster.outbound"})

    def _traced_managers(self) -> Iterator[Json]:
        """The managers of HTTP connections that istiod writes: those of the bootstrap have no traces."""
        for chain in self._chains():
            for network_filter in chain["filters"]:
                if "tracing" in network_filter["typed_config"]:
                    yield network_filter["typed_config"]

    def _collector(self, what: str, address: Address, *, http2: bool = True) -> Json:
        """A cluster that leads to a collector, as the service of a logger or a tracer."""
        name = f"outbound|{address[1]}||{what}.example"
        endpoint = {"endpoint": {"address": {"socket_address": {"address": address[0], "port_value": address[1]}}}}
        assignment = {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
        cluster = {"name": name, "type": "STATIC", "connect_timeout": "1s", "load_assignment": assignment}
        if http2:
            options = {"@type": _HTTP_OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}
            cluster["typed_extension_protocol_options"] = {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options}
        self.document["static_resources"]["clusters"].append(cluster)
        return {"envoy_grpc": {"cluster_name": name}}

    def write(self, path: Path, *, wasm: Path, access_log: Path) -> None:
        """Writes the bootstrap and, beside it, the discovered plugin; a running Envoy applies each new version of the latter."""
        config = self.plugin_config if isinstance(self.plugin_config, str) else json.dumps(self.plugin_config)
        values = {"@PLUGIN@": str(wasm), "@CONFIG@": config, "@ACCESS_LOG@": str(access_log)}
        discovered = path.with_name("ecds.json")
        values[_DISCOVERED] = str(discovered)
        values[_LISTENERS] = str(path.with_name("lds.json"))
        document = self.document
        if self._discovers_listeners:
            static = dict(document["static_resources"])
            listeners = [{"@type": _LISTENER} | listener for listener in static.pop("listeners")]
            source = {"path_config_source": {"path": _LISTENERS}, "resource_api_version": "V3"}
            document = document | {"static_resources": static, "dynamic_resources": {"lds_config": source}}
            response = {"version_info": "1", "resources": _filled(listeners, values)}
            path.with_name("lds.json").write_text(json.dumps(response, indent=1))
        path.write_text(json.dumps(_filled(document, values), indent=1))
        if self._discovered:
            self._version += 1
            response = {"version_info": str(self._version), "resources": _filled(self._discovered, values)}
            # Envoy reads the file when it is moved into place, so it never reads half a file.
            partial = discovered.with_suffix(".partial")
            partial.write_text(json.dumps(response, indent=1))
            partial.replace(discovered)


def _extension(name: str, kind: str, config: Json) -> Json:
    """A logger or a tracer."""
    return {"name": name, "typed_config": {"@type": f"type.googleapis.com/{kind}"} | config}


def _socket_address(cluster: Json) -> Json:
    """The address of a cluster's only endpoint."""
    (locality,) = cluster["load_assignment"]["endpoints"]
    (host,) = locality["lb_endpoints"]
    return host["endpoint"]["address"]["socket_address"]


def _filled(value: Json, values: dict[str, str]) -> Json:
    match value:
        case dict():
            return {name: _filled(inner, values) for name, inner in value.items()}
        case list():
            return [_filled(inner, values) for inner in value]
        case str():
            return values.get(value, value)
        case _:
            return value
