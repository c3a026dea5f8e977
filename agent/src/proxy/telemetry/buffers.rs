//! Which loggers and tracers this Envoy has, by the configuration of its listeners.
//!
//! Istio gives the same loggers and the same tracer to all listeners of one direction. So two small listeners are enough: that of the filter,
//! which is an outbound HTTP listener as all others, and `virtualOutbound`, which has the loggers of TCP. Without a filter, `virtualInbound`
//! stands in for the first.

use core::fmt;
use core::time::Duration;

use log::debug;
use pod::bounds::Input;
use serde::Deserialize;

use super::admin::Admin;
use crate::os::World;

/// Envoy compares the whole name. The answer of an injected pod has 7 KB; that for all listeners of a large mesh can have hundreds of MB.
const SIGNAL: &str = "/config_dump?resource=dynamic_listeners&name_regex=virtualOutbound|.*_15190";
/// In a pod without Services it has 20 KB.
const INBOUND: &str = "/config_dump?resource=dynamic_listeners&name_regex=virtualInbound";
/// The cluster of a tracer that the bootstrap names.
const BOOTSTRAP: &str = "/config_dump?resource=static_clusters&name_regex=zipkin";
/// The end of the name of the signal listener.
const SIGNAL_LISTENER: &str = "_15190";
/// The default of all loggers that buffer.
const LOGGER_INTERVAL: Duration = Duration::from_secs(1);
/// The cluster of a tracer that the bootstrap of a sidecar names, and no listener (Istio, `envoy_bootstrap.json`).
const BOOTSTRAP_CLUSTER: &str = "zipkin";

/// What an Envoy buffers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buffers {
    /// The longest time between two flushes of a logger. `None`: there is no logger that buffers.
    pub longest_interval: Option<Duration>,
    /// The tracer.
    pub tracer: Option<Tracer>,
    /// The clusters to which each flush is a request, with an end.
    pub requests: Vec<String>,
    /// The clusters to which all flushes are one stream.
    pub streams: Vec<String>,
    /// The names of the loggers and tracers, for the log.
    names: Vec<String>,
}

/// When a tracer sends its spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tracer {
    /// As Envoy's runtime says, under this key.
    Runtime(&'static str),
    /// After this time.
    Flushes(Duration),
    /// At once.
    Sends,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Dump {
    configs: Vec<Config>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    name: String,
    active_state: ActiveState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ActiveState {
    listener: Listener,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Listener {
    access_log: Vec<Extension>,
    filter_chains: Vec<Chain>,
    default_filter_chain: Chain,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Chain {
    filters: Vec<Filter>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Filter {
    typed_config: Manager,
}

/// An HTTP connection manager or a TCP proxy.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Manager {
    access_log: Vec<Extension>,
    tracing: Option<Tracing>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Tracing {
    /// `None`: that of the bootstrap counts, if it has one.
    provider: Option<Extension>,
}

/// A logger or a tracer.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Extension {
    name: String,
    typed_config: Typed,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Typed {
    common_config: Common,
    buffer_flush_interval: String,
    grpc_service: GrpcService,
    http_service: HttpService,
    collector_cluster: String,
    collector_service: HttpService,
}

/// Where most loggers have these fields.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Common {
    buffer_flush_interval: String,
    grpc_service: GrpcService,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GrpcService {
    envoy_grpc: EnvoyGrpc,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct EnvoyGrpc {
    cluster_name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HttpService {
    http_uri: HttpUri,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HttpUri {
    cluster: String,
}

/// Asks Envoy. `None` if it has no loggers and tracers that buffer, or does not answer. `has_bootstrap_tracer`: whether its bootstrap names a
/// tracer, if that is known.
pub fn ask(admin: &Admin<'_, impl World>, has_bootstrap_tracer: Option<bool>) -> Option<Buffers> {
    let mut dump = listeners(admin, SIGNAL)?;
    if !dump.has_signal_listener() {
        dump.configs.extend(listeners(admin, INBOUND).unwrap_or_default().configs);
    }
    let mut buffers = dump.buffers();
    if dump.traces_by_bootstrap() && has_bootstrap_tracer.unwrap_or_else(|| self::has_bootstrap_tracer(admin)) {
        buffers.trace_by_bootstrap();
    }
    debug!("telemetry: {buffers:?}");
    (buffers.count() > 0).then_some(buffers)
}

/// Whether the bootstrap names a tracer, by the cluster that it has then. That cannot change while Envoy runs.
pub fn has_bootstrap_tracer(admin: &Admin<'_, impl World>) -> bool {
    listeners(admin, BOOTSTRAP).is_some_and(|dump| !dump.configs.is_empty())
}

/// Whether Envoy has its listeners already.
pub fn has_listeners(admin: &Admin<'_, impl World>) -> bool {
    listeners(admin, SIGNAL).is_some_and(|dump| !dump.configs.is_empty())
}

fn listeners(admin: &Admin<'_, impl World>, path: &'static str) -> Option<Dump> {
    let body = admin.answer("GET", path, Input::ConfigDump)?;
    serde_json::from_slice(body.bytes()).ok()
}

// === impl Dump ===

impl Dump {
    fn has_signal_listener(&self) -> bool {
        self.configs.iter().any(|config| config.name.ends_with(SIGNAL_LISTENER))
    }

    fn listeners(&self) -> impl Iterator<Item = &Listener> {
        self.configs.iter().map(|config| &config.active_state.listener)
    }

    fn tracings(&self) -> impl Iterator<Item = &Tracing> {
        self.listeners().flat_map(Listener::managers).filter_map(|manager| manager.tracing.as_ref())
    }

    /// Whether a listener leaves its tracer to the bootstrap. By default all do, and the bootstrap has none.
    fn traces_by_bootstrap(&self) -> bool {
        self.tracings().any(|tracing| tracing.provider.is_none())
    }

    /// The loggers and tracers that the listeners name.
    fn buffers(&self) -> Buffers {
        let mut buffers = Buffers::default();
        for listener in self.listeners() {
            let of_managers = listener.managers().flat_map(|manager| &manager.access_log);
            listener.access_log.iter().chain(of_managers).for_each(|logger| buffers.log(logger));
        }
        self.tracings().filter_map(|tracing| tracing.provider.as_ref()).for_each(|provider| buffers.trace(provider));
        buffers
    }
}

// === impl Listener ===

impl Listener {
    fn managers(&self) -> impl Iterator<Item = &Manager> {
        let chains = self.filter_chains.iter().chain([&self.default_filter_chain]);
        chains.flat_map(|chain| &chain.filters).map(|filter| &filter.typed_config)
    }
}

// === impl Buffers ===

impl Buffers {
    /// The number of loggers and tracers.
    pub fn count(&self) -> u32 {
        u32::try_from(self.names.len()).unwrap_or(u32::MAX)
    }

    /// Adds a logger, if it is one that buffers. All others write to a file, which Envoy completes when it ends.
    fn log(&mut self, logger: &Extension) {
        let streams = match logger.name.as_str() {
            "envoy.access_loggers.http_grpc" | "envoy.access_loggers.tcp_grpc" => true,
            "envoy.access_loggers.open_telemetry" | "envoy.access_loggers.fluentd" => false,
            _ => return,
        };
        let Typed { common_config, buffer_flush_interval, .. } = &logger.typed_config;
        let interval = [&common_config.buffer_flush_interval, buffer_flush_interval].into_iter().find_map(|text| seconds(text));
        self.longest_interval = self.longest_interval.max(Some(interval.unwrap_or(LOGGER_INTERVAL)));
        self.add(&logger.name, &logger.typed_config, streams);
    }

    /// Adds the tracer `provider`.
    fn trace(&mut self, provider: &Extension) {
        let tracer = match provider.name.as_str() {
            "envoy.tracers.zipkin" => Tracer::Runtime(super::spans::ZIPKIN),
            "envoy.tracers.opentelemetry" => Tracer::Runtime(super::spans::OPEN_TELEMETRY),
            "envoy.tracers.datadog" => Tracer::Flushes(Duration::from_secs(2)),
            _ => Tracer::Sends,
        };
        self.tracer = Some(tracer);
        self.add(&provider.name, &provider.typed_config, false);
    }

    /// Adds the tracer of the bootstrap.
    fn trace_by_bootstrap(&mut self) {
        self.tracer.get_or_insert(Tracer::Runtime(super::spans::ZIPKIN));
        push_new(&mut self.names, BOOTSTRAP_CLUSTER);
        push_new(&mut self.requests, BOOTSTRAP_CLUSTER);
    }

    fn add(&mut self, name: &str, config: &Typed, streams: bool) {
        let clusters = [
            &config.collector_cluster,
            &config.collector_service.http_uri.cluster,
            &config.common_config.grpc_service.envoy_grpc.cluster_name,
            &config.grpc_service.envoy_grpc.cluster_name,
            &config.http_service.http_uri.cluster,
        ];
        let list = if streams { &mut self.streams } else { &mut self.requests };
        clusters.into_iter().filter(|cluster| !cluster.is_empty()).for_each(|cluster| push_new(list, cluster));
        push_new(&mut self.names, name);
    }
}

impl fmt::Display for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Envoy buffers telemetry: ")?;
        f.write_str(&self.names.join(", "))
    }
}

fn push_new(list: &mut Vec<String>, name: &str) {
    if !list.iter().any(|known| known == name) {
        list.push(name.to_owned());
    }
}

/// A duration in the JSON of protobuf, such as `0.500s`.
fn seconds(text: &str) -> Option<Duration> {
    let seconds = text.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests;
