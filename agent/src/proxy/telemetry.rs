//! The telemetry that Envoy buffers. It sends the entries of access logs and the spans of a request later than the request itself, and what it
//! has not sent when it ends is lost. No queue of the kernel shows them.
//!
//! Only Envoy knows what it buffers: its listeners name the loggers and tracers ([`buffers`]). Loggers flush by the clock, at most a second
//! later. Tracers would take five, but how long is a matter of Envoy's runtime: the agent sets it when it starts, so that Envoy sends each span
//! at once ([`spans`]), and Envoy's clusters tell when the last one has arrived ([`exports`]). Metrics for a statsd server are sent by the
//! clock, too, and when Envoy ends in order; kubelet kills a native one, so there a reading tells that they were sent ([`metrics`]). A proxy
//! that had no loggers and tracers when the agent started costs no question at the end of a short task, and one at that of a longer one.

use core::net::SocketAddr;
use core::time::Duration;

use drain::duration;
use drain::time::Instant;
use log::{info, warn};

mod admin;
pub mod buffers;
mod exports;
mod metrics;
pub mod spans;

use self::admin::Admin;
use self::buffers::{Buffers, Tracer};
use self::exports::Exports;
use super::times;
use crate::options::{Options, Spans};
use crate::os::World;

/// The name of the metrics beside those of loggers and tracers, for the log.
const METRICS: &str = "metrics for statsd";

/// The wait for the buffers of one proxy.
#[derive(Debug)]
pub(super) struct Telemetry {
    admin_port: u16,
    /// How long to wait in all. Zero: not at all.
    timeout: Duration,
    /// What the agent knows of the spans.
    spans: Option<Spans>,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Data of the task is undelivered, so new entries and spans can still come.
    Fills,
    /// A first reading has shown that all data is delivered, and Envoy was not asked yet: the first report to the filter must not wait for that.
    /// Until then it counts as one that buffers something.
    Unasked(Instant),
    /// All data is delivered. The buffers are flushed by the clock, or as Envoy tells.
    Flushes(Flush),
    /// There is nothing in the buffers: they were waited for this long, if there are any.
    Empty(Option<Duration>),
}

#[derive(Debug)]
struct Flush {
    buffers: Buffers,
    /// Envoy's uptime at the beginning, if it has to send its metrics before its end.
    uptime: Option<u64>,
    began: Instant,
    /// Until then, only time helps.
    until: Instant,
    /// When to ask Envoy next, and how long to pause after that.
    ask_at: Instant,
    pause: Duration,
}

// === impl Telemetry ===

impl Telemetry {
    /// The wait for the buffers of the proxy that `options` describe, which starts with the delivery of the last data.
    pub(super) const fn new(options: &Options) -> Self {
        let Options { admin_port, telemetry_timeout, spans, .. } = options;
        let state = if telemetry_timeout.is_zero() { State::Empty(None) } else { State::Fills };
        Self { admin_port: *admin_port, timeout: *telemetry_timeout, spans: *spans, state }
    }

    /// How many loggers and tracers may still buffer something. `is_delivered`: the kernel holds no data of the pod. Envoy is asked only at
    /// those of its addresses that `may_be_envoy` allows.
    pub(super) fn buffers(&mut self, world: &impl World, is_delivered: bool, may_be_envoy: &dyn Fn(SocketAddr) -> bool) -> u32 {
        let admin = &Admin::new(world, self.admin_port, may_be_envoy);
        match self.state {
            State::Fills if is_delivered && !self.has_metrics() && self.are_known_to_be_none(world.now()) => {
                self.state = State::Empty(None);
            }
            State::Fills if is_delivered => {
                self.state = State::Unasked(world.now());
                return 1;
            }
            State::Unasked(began) if is_delivered => self.state = self.begin(admin, began),
            // All data was inside of Envoy, between a read and a write.
            State::Unasked(_) => self.state = State::Fills,
            State::Fills | State::Flushes(_) | State::Empty(_) => {}
        }
        let timeout = self.timeout;
        let State::Flushes(flush) = &mut self.state else { return 0 };
        let waited = world.now().since(flush.began);
        if flush.is_over(admin) {
            info!("the telemetry is sent, {} ms after the data", waited.as_millis());
        } else if waited >= timeout {
            let timeout = duration::display(timeout);
            warn!("Envoy still buffers telemetry after {timeout}: it is lost, or raise --telemetry-timeout");
        } else {
            return flush.buffers.count() + u32::from(flush.uptime.is_some());
        }
        self.state = State::Empty(Some(waited));
        0
    }

    /// How long the buffers were waited for, if there are any. `None` as long as that is not over.
    pub(super) const fn waited(&self) -> Option<Duration> {
        match self.state {
            State::Empty(waited) => waited,
            State::Fills | State::Unasked(_) | State::Flushes(_) => None,
        }
    }

    /// Whether Envoy is to be asked now.
    pub(super) const fn is_unasked(&self) -> bool {
        matches!(self.state, State::Unasked(_))
    }

    /// For how long nothing can change, if the buffers are flushed by the clock.
    pub(super) fn sleeps(&self, now: Instant) -> Duration {
        match &self.state {
            State::Flushes(flush) => flush.until.since(now),
            State::Fills | State::Unasked(_) | State::Empty(_) => Duration::ZERO,
        }
    }

    /// Whether the agent has asked Envoy when it started, a short while ago, and Envoy had nothing that buffers.
    fn are_known_to_be_none(&self, now: Instant) -> bool {
        let asked = self.spans.and_then(|spans| spans.had_no_buffers);
        asked.is_some_and(|asked| now.since(asked) < times::TRUSTED)
    }

    /// Whether Envoy has to send its metrics before its end.
    fn has_metrics(&self) -> bool {
        self.spans.is_some_and(|spans| spans.buffers_metrics)
    }

    /// Asks Envoy. The last data was delivered when it `began`.
    fn begin(&self, admin: &Admin<'_, impl World>, began: Instant) -> State {
        let has_bootstrap_tracer = self.spans.map(|spans| spans.has_bootstrap_tracer);
        let uptime = self.has_metrics().then(|| metrics::uptime(admin)).flatten();
        let buffers = buffers::ask(admin, has_bootstrap_tracer).unwrap_or_default();
        if buffers.is_empty() && uptime.is_none() {
            return State::Empty(None);
        }
        let span_wait = match buffers.tracer {
            None | Some(Tracer::Sends) => Duration::ZERO,
            Some(Tracer::Flushes(interval)) => interval + times::LATE_FLUSH,
            Some(Tracer::Runtime(key)) => {
                let interval = spans::INTERVAL + times::LATE_FLUSH;
                match self.spans {
                    Some(spans) => interval.saturating_sub(began.since(spans.at_once_from)),
                    None if spans::are_at_once(admin, &[key]) => Duration::ZERO,
                    None => interval,
                }
            }
        };
        let log_wait = buffers.longest_interval.map_or(Duration::ZERO, |interval| interval + times::LATE_FLUSH);
        let wait = span_wait.max(log_wait);
        let how = if wait.is_zero() { "as Envoy tells" } else { "by the clock" };
        let names: Vec<&str> = buffers.names.iter().map(String::as_str).chain(uptime.map(|_| METRICS)).collect();
        info!("Envoy buffers telemetry: {}: waiting {how} until they are sent", names.join(", "));
        State::Flushes(Flush {
            buffers,
            uptime,
            began,
            until: began + wait,
            ask_at: began + wait,
            pause: times::FIRST_EXPORT_PAUSE,
        })
    }

    /// New data has come: the task still runs, and fills the buffers again.
    pub(super) fn fills_again(&mut self) {
        if !self.timeout.is_zero() {
            self.state = State::Fills;
        }
    }
}

// === impl Flush ===

impl Flush {
    /// Whether everything is sent, as far as the clock and Envoy tell.
    fn is_over(&mut self, admin: &Admin<'_, impl World>) -> bool {
        let now = admin.world().now();
        if now < self.ask_at {
            return false;
        }
        if self.uptime.is_some() && metrics::uptime(admin) != self.uptime {
            self.uptime = None;
        }
        let exports = match (self.uptime, self.buffers.is_empty()) {
            (Some(_), _) => Exports::UnderWay,
            (None, true) => Exports::Sent,
            (None, false) => exports::ask(admin, &self.buffers),
        };
        // An answer that takes long costs Envoy's main thread as much.
        let answered = admin.world().now();
        let latency = answered.since(now);
        self.ask_at = answered + self.pause.max(latency * times::PAUSES_PER_ANSWER);
        self.pause = (self.pause * 2).min(times::LONGEST_EXPORT_PAUSE);
        match exports {
            Exports::Sent => true,
            Exports::UnderWay => false,
            // An Envoy that does not tell gets the time of a request to a server nearby.
            Exports::Unknown => now >= self.until + times::EXPORT,
        }
    }
}

#[cfg(test)]
mod tests;
