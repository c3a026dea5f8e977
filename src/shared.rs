//! What the root context and the streams of one worker share.

use std::cell::OnceCell;

use drain::config::Config;

use crate::metrics::Metrics;
use crate::store::Claim;

/// Shared by the contexts of one worker.
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

    /// The metrics. They are defined at their first use, because Envoy has no scope for them before the plugin is configured.
    pub(crate) fn metrics(&self) -> &Metrics {
        self.metrics.get_or_init(Metrics::define)
    }
}
