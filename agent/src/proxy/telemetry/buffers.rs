//! Which loggers and tracers this Envoy has, by the configuration of its listeners.
//!
//! Istio gives the same loggers and the same tracer to all listeners of one direction. So two small listeners are enough: that of the filter,
//! which is an outbound HTTP listener as all others, and `virtualOutbound`, which has the loggers of TCP. Without the first, all outbound HTTP
//! listeners that Services share by their port are asked for, and `virtualInbound`, which is always there.

use core::time::Duration;

use log::debug;
use pod::bounds::Input;
use serde::Deserialize;

use super::admin::Admin;
use crate::os::World;

/// Envoy compares the whole name. The answer of an injected pod has 7 KB; that for all listeners of a large mesh can have hundreds of MB.
const SIGNAL: &str = "/config_dump?resource=dynamic_listeners&name_regex=virtualOutbound|.*_15190";
/// In a pod without Services the answer has 20 KB, and some 7 KB more for each port that a Service of the mesh has.
const OTHERS: &str = "/config_dump?resource=dynamic_listeners&name_regex=virtualInbound|0.0.0.0_.*";
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
pub(super) struct Buffers {
    /// The longest time between two flushes of a logger. `None`: there is no logger that buffers.
    pub(super) longest_interval: Option<Duration>,
    /// The tracer.
    pub(super) tracer: Option<Tracer>,
    /// The clusters to which each flush is a request, with an end.
    pub(super) requests: Vec<String>,
    /// The clusters to which all flushes are one stream.
    pub(super) streams: Vec<String>,
    /// The names of the loggers and tracers, for the log.
    pub(super) names: Vec<String>,
}

/// When a tracer sends its spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tracer {
    /// As Envoy's runtime says, under this key.
    Runtime(&'static str),
    /// After this time.
    Flushes(Duration),
    /// At once.
    Sends,
}

/// A part of the configuration, as far as it matters. There is one type for all parts, because each type costs the agent kilobytes.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Part {
    name: String,
    // From the dump to the managers of connections, for HTTP or TCP.
    configs: Vec<Self>,
    active_state: Option<Box<Self>>,
    listener: Option<Box<Self>>,
    filter_chains: Vec<Self>,
    default_filter_chain: Option<Box<Self>>,
    filters: Vec<Self>,
    // A listener and a manager have loggers, and a manager for HTTP has a tracer. If it names none, that of the bootstrap counts, if there is one.
    access_log: Vec<Self>,
    tracing: Option<Box<Self>>,
    provider: Option<Box<Self>>,
    typed_config: Option<Box<Self>>,
    // Of a logger or a tracer; most loggers have it all in `common_config`.
    common_config: Option<Box<Self>>,
    buffer_flush_interval: String,
    // Where it sends.
    collector_cluster: String,
    collector_service: Option<Box<Self>>,
    grpc_service: Option<Box<Self>>,
    envoy_grpc: Option<Box<Self>>,
    cluster_name: String,
    http_service: Option<Box<Self>>,
    http_uri: Option<Box<Self>>,
    cluster: String,
}

/// Asks Envoy. `None` if it does not answer, or has no listeners yet. `has_bootstrap_tracer`: whether its bootstrap names a tracer, if that is
/// known.
pub(super) fn ask(admin: &Admin<'_, impl World>, has_bootstrap_tracer: Option<bool>) -> Option<Buffers> {
    let mut dump = listeners(admin, SIGNAL)?;
    if !dump.has_signal_listener() {
        dump.configs.extend(listeners(admin, OTHERS).unwrap_or_default().configs);
    }
    if dump.configs.is_empty() {
        return None;
    }
    let mut buffers = dump.buffers();
    if dump.traces_by_bootstrap() && has_bootstrap_tracer.unwrap_or_else(|| self::has_bootstrap_tracer(admin)) {
        buffers.trace_by_bootstrap();
    }
    debug!("telemetry: {buffers:?}");
    Some(buffers)
}

/// Whether the bootstrap names a tracer, by the cluster that it has then. That cannot change while Envoy runs.
pub(super) fn has_bootstrap_tracer(admin: &Admin<'_, impl World>) -> bool {
    let name = format!("\"{BOOTSTRAP_CLUSTER}\"");
    let dump = admin.answer("GET", BOOTSTRAP, Input::ConfigDump);
    dump.is_some_and(|dump| dump.bytes().windows(name.len()).any(|piece| piece == name.as_bytes()))
}

/// The names of the loggers and tracers that the listeners of a `/config_dump` name. `None`: it is none.
#[must_use]
pub fn names(dump: &[u8]) -> Option<Vec<String>> {
    serde_json::from_slice::<Part>(dump).ok().map(|part| part.buffers().names)
}

fn listeners(admin: &Admin<'_, impl World>, path: &'static str) -> Option<Part> {
    let body = admin.answer("GET", path, Input::ConfigDump)?;
    serde_json::from_slice(body.bytes()).ok()
}

// === impl Part ===

impl Part {
    /// The listeners of a dump.
    fn listeners(&self) -> impl Iterator<Item = &Self> {
        self.configs.iter().filter_map(|config| config.active_state.as_ref()?.listener.as_deref())
    }

    /// The managers of connections of a listener.
    fn managers(&self) -> impl Iterator<Item = &Self> {
        let chains = self.filter_chains.iter().chain(self.default_filter_chain.as_deref());
        chains.flat_map(|chain| &chain.filters).filter_map(|filter| filter.typed_config.as_deref())
    }

    fn has_signal_listener(&self) -> bool {
        self.configs.iter().any(|config| config.name.ends_with(SIGNAL_LISTENER))
    }

    /// The settings for traces of a dump.
    fn tracings(&self) -> impl Iterator<Item = &Self> {
        self.listeners().flat_map(Self::managers).filter_map(|manager| manager.tracing.as_deref())
    }

    /// Whether a listener leaves its tracer to the bootstrap. By default all do, and the bootstrap has none.
    fn traces_by_bootstrap(&self) -> bool {
        self.tracings().any(|tracing| tracing.provider.is_none())
    }

    /// The loggers and tracers that the listeners of a dump name.
    fn buffers(&self) -> Buffers {
        let mut buffers = Buffers::default();
        for listener in self.listeners() {
            let of_managers = listener.managers().flat_map(|manager| &manager.access_log);
            listener.access_log.iter().chain(of_managers).for_each(|logger| buffers.log(logger));
        }
        self.tracings().filter_map(|tracing| tracing.provider.as_deref()).for_each(|provider| buffers.trace(provider));
        buffers
    }

    /// The clusters to which a logger or tracer sends.
    fn clusters(&self) -> Vec<&str> {
        let Some(config) = self.typed_config.as_deref() else { return Vec::new() };
        let parts = [config.common_config.as_deref(), Some(config)].into_iter().flatten();
        let grpc = parts.filter_map(|part| Some(&part.grpc_service.as_ref()?.envoy_grpc.as_ref()?.cluster_name));
        let services = [&config.http_service, &config.collector_service].into_iter();
        let http = services.filter_map(|service| Some(&service.as_ref()?.http_uri.as_ref()?.cluster));
        let all = grpc.chain(http).chain([&config.collector_cluster]);
        all.map(String::as_str).filter(|name| !name.is_empty()).collect()
    }

    /// The longest time between two flushes of a logger, if it says that.
    fn interval(&self) -> Option<Duration> {
        let config = self.typed_config.as_deref()?;
        [config.common_config.as_deref(), Some(config)]
            .into_iter()
            .flatten()
            .find_map(|part| seconds(&part.buffer_flush_interval))
    }
}

// === impl Buffers ===

impl Buffers {
    /// Whether there are none.
    pub(super) const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The number of loggers and tracers.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.names.len()).unwrap_or(u32::MAX)
    }

    /// Adds a logger, if it is one that buffers. All others write to a file, which Envoy completes when it ends.
    fn log(&mut self, logger: &Part) {
        let streams = match logger.name.as_str() {
            "envoy.access_loggers.http_grpc" | "envoy.access_loggers.tcp_grpc" => true,
            "envoy.access_loggers.open_telemetry" | "envoy.access_loggers.fluentd" => false,
            _ => return,
        };
        self.longest_interval = self.longest_interval.max(Some(logger.interval().unwrap_or(LOGGER_INTERVAL)));
        self.add(logger, streams);
    }

    /// Adds the tracer `provider`.
    fn trace(&mut self, provider: &Part) {
        let tracer = match provider.name.as_str() {
            "envoy.tracers.zipkin" => Tracer::Runtime(super::spans::ZIPKIN),
            "envoy.tracers.opentelemetry" => Tracer::Runtime(super::spans::OPEN_TELEMETRY),
            "envoy.tracers.datadog" => Tracer::Flushes(Duration::from_secs(2)),
            _ => Tracer::Sends,
        };
        self.tracer = Some(tracer);
        self.add(provider, false);
    }

    /// Adds the tracer of the bootstrap.
    fn trace_by_bootstrap(&mut self) {
        self.tracer.get_or_insert(Tracer::Runtime(super::spans::ZIPKIN));
        push_new(&mut self.names, BOOTSTRAP_CLUSTER);
        push_new(&mut self.requests, BOOTSTRAP_CLUSTER);
    }

    fn add(&mut self, extension: &Part, streams: bool) {
        let list = if streams { &mut self.streams } else { &mut self.requests };
        extension.clusters().into_iter().for_each(|cluster| push_new(list, cluster));
        push_new(&mut self.names, &extension.name);
    }
}

fn push_new(list: &mut Vec<String>, name: &str) {
    if !list.iter().any(|known| known == name) {
        list.push(name.to_owned());
    }
}

/// A duration in the JSON of protobuf, such as `0.500s`.
fn seconds(text: &str) -> Option<Duration> {
    let (seconds, fraction) = text.strip_suffix('s').map(|text| text.split_once('.').unwrap_or((text, "")))?;
    // It has three, six or nine digits, of which three are enough.
    let milliseconds = format!("{fraction:0<3.3}").parse().ok()?;
    Some(Duration::from_secs(seconds.parse().ok()?) + Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests;
