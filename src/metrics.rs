//! The metrics that Envoy exports about exeunt. Envoy puts `wasmcustom.` before their names; Istio's default stats matcher keeps these.

use drain::duration::milliseconds;
use drain::machine::{Machine, State};
use proxy_wasm::types::MetricType;

use crate::host;

/// Envoy's number of each metric; `None` if Envoy refused to define it.
#[derive(Debug)]
pub(crate) struct Metrics {
    state: Option<u32>,
    drain_milliseconds: Option<u32>,
    in_flight: Option<u32>,
    undelivered_bytes: Option<u32>,
    accepted: Option<u32>,
    refused: Option<u32>,
}

// === impl Metrics ===

impl Metrics {
    /// Defines all of them, so that Envoy exports them from the start, as zero.
    pub(crate) fn define() -> Self {
        let gauge = |name| host::define_metric(MetricType::Gauge, name);
        let counter = |name| host::define_metric(MetricType::Counter, name);
        Self {
            state: gauge("exeunt_state"),
            drain_milliseconds: gauge("exeunt_drain_milliseconds"),
            in_flight: gauge("exeunt_in_flight"),
            undelivered_bytes: gauge("exeunt_undelivered_bytes"),
            accepted: counter("exeunt_signals_accepted"),
            refused: counter("exeunt_signals_refused"),
        }
    }

    pub(crate) fn accepted(&self) {
        host::count_metric(self.accepted);
    }

    pub(crate) fn refused(&self) {
        host::count_metric(self.refused);
    }

    /// Exports the state of `machine`.
    pub(crate) fn show(&self, machine: &Machine) {
        let state = State::ALL.iter().position(|state| *state == machine.state()).unwrap_or_default();
        host::set_metric(self.state, state as u64);
        host::set_metric(self.in_flight, machine.in_flight().unwrap_or_default());
        if let Some((_, lasted)) = machine.left() {
            host::set_metric(self.drain_milliseconds, milliseconds(lasted));
            host::set_metric(self.undelivered_bytes, machine.undelivered().bytes);
        }
    }
}
