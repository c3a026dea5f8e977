//! When Envoy sends its spans. By default Zipkin's tracer does so when it has five of them, that of OpenTelemetry when it has many, and both
//! every five seconds. Both look up that number in Envoy's runtime at each span, so it can be set while Envoy runs.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use drain::time::Instant;
use drain::wire::Action;
use log::{debug, info};
use pod::bounds::Input;
use pod::proxy::Listener;
use serde::Deserialize;

use super::admin::Admin;
use super::buffers::{self, Buffers, has_bootstrap_tracer};
use crate::options::{Options, Spans};
use crate::os::World;
use crate::proxy::{Sidecar, metadata, times};

/// After how many spans Zipkin's tracer sends them.
pub(super) const ZIPKIN: &str = "tracing.zipkin.min_flush_spans";
/// After how many spans the tracer of OpenTelemetry sends them.
pub(super) const OPEN_TELEMETRY: &str = "tracing.opentelemetry.min_flush_spans";
/// Envoy's default for the longest time between two flushes. A flush that waits for its time is not brought forward.
pub(super) const INTERVAL: Duration = Duration::from_secs(5);

/// Sets both numbers to one. Without such a tracer they mean nothing.
const AT_ONCE: &str = "/runtime_modify?tracing.zipkin.min_flush_spans=1&tracing.opentelemetry.min_flush_spans=1";
const RUNTIME: &str = "/runtime";

#[derive(Default, Deserialize)]
#[serde(default)]
struct Runtime {
    entries: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    final_value: String,
}

/// Lets Envoy send each span at once, so that none is left when it ends. `None` if Envoy did not take it.
///
/// `precedes_task`: no main container has started, so there is no span yet.
pub fn send_at_once<W: World>(world: &W, options: &Options, precedes_task: bool) -> Option<Spans> {
    if options.telemetry_timeout.is_zero() {
        return None;
    }
    // On a shared host the process of the proxy is given, and so is the admin interface.
    let sidecar = options.proxy_pid.is_none().then(|| Sidecar::seen_now(world, options));
    let may_be_envoy =
        |at: SocketAddr| !sidecar.as_ref().is_some_and(|sidecar| matches!(sidecar.who_listens(at), Listener::Other(_)));
    let admin = Admin::new(world, options.admin_port, &may_be_envoy);
    // Where an annotation of the pod says so, it was so from the start.
    let was_so = are_at_once(&admin, &[ZIPKIN, OPEN_TELEMETRY]);
    if !was_so {
        admin.answer("POST", AT_ONCE, Input::Runtime)?;
    }
    let has_bootstrap_tracer = has_bootstrap_tracer(&admin);
    let buffers = buffers::ask(&admin, Some(has_bootstrap_tracer));
    let had_no_buffers = buffers.as_ref().is_some_and(Buffers::is_empty).then(|| world.now());
    // Without listeners Envoy has made none.
    let has_none_before = was_so || precedes_task || buffers.is_none();
    let buffers_metrics = options.action() == Action::Drain
        && metadata::ask(world, options.admin_port, times::TELEMETRY, may_be_envoy).is_some_and(|told| told.has_statsd());
    info!("if Envoy has a tracer, it sends each span at once");
    debug!("spans from before that: {}", if has_none_before { "none" } else { "possible" });
    let at_once_from = if has_none_before { Instant::default() } else { world.now() };
    Some(Spans { at_once_from, has_bootstrap_tracer, had_no_buffers, buffers_metrics })
}

/// Whether Envoy's runtime has the number one under all `keys`.
pub(super) fn are_at_once(admin: &Admin<'_, impl World>, keys: &[&str]) -> bool {
    let body = admin.answer("GET", RUNTIME, Input::Runtime);
    let runtime = body.and_then(|body| serde_json::from_slice::<Runtime>(body.bytes()).ok()).unwrap_or_default();
    keys.iter().all(|key| runtime.entries.get(*key).is_some_and(|entry| entry.final_value == "1"))
}
