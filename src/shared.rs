//! What the root context and the streams of one worker have in common.

use std::cell::OnceCell;

use drain::config::Config;

use crate::metrics::Metrics;
use crate::store::Claim;

/// See the module.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The plugin configuration.
    pub(crate) config: Config,
    /// This worker's claim to drive the drain.
    pub(crate) claim: Claim,
    metrics: OnceCell<Metrics>,
}

// === impl Shared ===

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, claim: Claim::default(), metrics: OnceCell::new() }
    }

    /// The metrics, defined when they are first needed: Envoy has no scope for them before the plugin is configured.
    pub(crate) fn metrics(&self) -> &Metrics {
        self.metrics.get_or_init(Metrics::define)
    }
}
