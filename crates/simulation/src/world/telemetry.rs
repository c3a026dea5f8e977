//! The telemetry of the task's connections, which Envoy buffers, and what its admin interface tells about it.

use agent::os::http::Request;
use serde_json::{Value, json};

use super::{MILLISECOND, World};
use crate::flow::Flow;

/// Envoy's own intervals.
const LOGS: u64 = 1_000 * MILLISECOND;
const SPANS: u64 = 5_000 * MILLISECOND;
/// From a flush to the answer of the collector.
const WAY: u64 = 5 * MILLISECOND;

/// What one Envoy buffers.
#[derive(Debug, Default)]
pub(super) struct Telemetry {
    /// When Envoy has started: its timers begin then.
    since: u64,
    /// Whether it sends each span at once.
    spans_at_once: bool,
    /// When each entry of an access log, and each span, has arrived.
    logs: Vec<u64>,
    spans: Vec<u64>,
}

// === impl Telemetry ===

impl Telemetry {
    /// That of an Envoy that starts at `now`.
    pub(super) fn begin(now: u64) -> Self {
        Self { since: now, ..Self::default() }
    }

    /// When what is added `now` has arrived, if it is flushed every `interval`.
    const fn arrives(&self, now: u64, interval: u64) -> u64 {
        now + interval - (now - self.since) % interval + WAY
    }

    /// How many entries and spans have not arrived by `now`.
    pub(super) fn unsent(&self, now: u64) -> usize {
        self.logs.iter().chain(&self.spans).filter(|at| **at > now).count()
    }
}

// === impl World ===

impl World {
    /// Lets `now` pass for the connections, of which those in `passed_on` had ended in Envoy before.
    pub(super) fn log_ended_flows(&mut self, passed_on: &[bool]) {
        let ended = self.flows.iter().map(Flow::is_passed_on).zip(passed_on).filter(|(now, before)| *now && !**before).count();
        let (now, telemetry) = (self.now, &mut self.telemetry);
        for _ in 0..ended {
            if self.plan.telemetry.logs {
                telemetry.logs.push(telemetry.arrives(now, LOGS));
            }
            if self.plan.telemetry.spans {
                let at = if telemetry.spans_at_once { now + WAY } else { telemetry.arrives(now, SPANS) };
                telemetry.spans.push(at);
            }
        }
    }

    /// The response of the admin interface, if `request` is about telemetry.
    pub(super) fn serve_telemetry(&mut self, request: &Request<'_>) -> Option<String> {
        let Request { method, path, .. } = request;
        Some(match (*method, path.split(['&', '=', '?']).next().unwrap_or_default()) {
            ("GET", "/config_dump") if path.contains("dynamic_listeners") => self.listener(path.contains("_15190")).to_string(),
            ("GET", "/config_dump") => "{}".to_owned(),
            ("GET", "/runtime") => {
                let value = json!({"final_value": if self.telemetry.spans_at_once { "1" } else { "" }});
                json!({"entries": {"tracing.zipkin.min_flush_spans": value, "tracing.opentelemetry.min_flush_spans": value}})
                    .to_string()
            }
            ("POST", "/runtime_modify") => {
                self.telemetry.spans_at_once = true;
                "OK\n".to_owned()
            }
            ("GET", "/clusters") if path.contains("filter") => {
                let spans = &self.telemetry.spans;
                let under_way = spans.iter().filter(|at| (self.now..self.now + WAY).contains(&(**at - 1))).count();
                let host = |name: &str, active: usize| {
                    format!("{name}::10.0.0.1:1::rq_active::{active}\n{name}::10.0.0.1:1::rq_pending_active::0\n")
                };
                host("als", 1) + &host("zipkin", under_way)
            }
            _ => return None,
        })
    }

    /// The listener of the filter, or one of the others.
    fn listener(&self, is_filters: bool) -> Value {
        let name = match (is_filters, self.plan.filter) {
            (true, Some(_)) => "127.0.0.1_15190",
            // Only its loggers of TCP would matter, and there are none.
            (true, None) => return json!({"configs": [{"name": "virtualOutbound"}]}),
            (false, _) => "virtualInbound",
        };
        let stream = json!({"common_config": {"grpc_service": {"envoy_grpc": {"cluster_name": "als"}}}});
        let logger = self.plan.telemetry.logs.then(|| json!({"name": "envoy.access_loggers.http_grpc", "typed_config": stream}));
        let tracer = json!({"provider": {"name": "envoy.tracers.zipkin", "typed_config": {"collector_cluster": "zipkin"}}});
        let tracing = if self.plan.telemetry.spans { tracer } else { Value::Null };
        let loggers: Vec<Value> = logger.into_iter().collect();
        let manager = json!({"typed_config": {"access_log": loggers, "tracing": tracing}});
        json!({"configs": [{"name": name, "active_state": {"listener": {"filter_chains": [{"filters": [manager]}]}}}]})
    }
}
