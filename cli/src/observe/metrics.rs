//! The metrics, and their registry. What Airflow's callback sends under the same names means the same: the drain and the undelivered bytes.

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use super::labels::{OfLosses, OfPods, OfReaps, OfStuck, OfTimes, Reaped};

/// Kubelet writes whole seconds. Without an agent a proxy ends when somebody ends it, hours later.
const PROXY_END: [f64; 13] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 21_600.0];
/// A drain with nothing to wait for takes less than 0.1 s. 15, 30 and 300 s are the default limits of the agent and of a pod.
const DRAIN: [f64; 14] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// A family of histograms with fixed buckets.
type Times = Family<OfTimes, Histogram, fn() -> Histogram>;

/// Every metric.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    pub(super) pods: Family<OfPods, Counter>,
    pub(super) proxy_end: Times,
    pub(super) drain: Times,
    pub(super) undelivered: Family<OfLosses, Counter>,
    pub(super) with_loss: Family<OfLosses, Counter>,
    pub(super) stuck: Family<OfStuck, Gauge>,
    pub(super) reaps: Family<OfReaps, Counter>,
    pub(super) leader: Gauge,
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("exeunt"),
            pods: Family::default(),
            proxy_end: Times::new_with_constructor(|| Histogram::new(PROXY_END)),
            drain: Times::new_with_constructor(|| Histogram::new(DRAIN)),
            undelivered: Family::default(),
            with_loss: Family::default(),
            stuck: Family::default(),
            reaps: Family::default(),
            leader: Gauge::default(),
        };
        metrics.register();
        // A counter must be there before it counts: the first increase of one that appears with it is invisible.
        for result in Reaped::ALL {
            let _ = metrics.reaps.get_or_create(&result.labels());
        }
        metrics
    }

    fn register(&mut self) {
        let all = &mut self.registry;
        all.register("pods", "Batch pods with a proxy or an agent that have ended", self.pods.clone());
        let help =
            "From the end of the last main container to the end of istio-proxy, by the status of the pod, in whole seconds";
        all.register_with_unit("proxy_end", help, Unit::Seconds, self.proxy_end.clone());
        let help = "From the end of the task to the end of the drain, by the verdict of the agent";
        all.register_with_unit("drain", help, Unit::Seconds, self.drain.clone());
        let help = "Bytes that were not delivered, by the verdict of the agent";
        all.register_with_unit("undelivered", help, Unit::Bytes, self.undelivered.clone());
        all.register("pods_with_loss", "Pods whose verdict names data that was not delivered", self.with_loss.clone());
        let help = "Pods whose task has ended and that do not end: stuck by istio-proxy, or held by another container";
        all.register("stuck_pods", help, self.stuck.clone());
        all.register("reaps", "Pods that the reaper has tried to end, by the result", self.reaps.clone());
        all.register("leader", "1 if this replica observes and reaps, 0 if it waits", self.leader.clone());
        all.register("build", "The version of kubectl-exeunt", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    }

    /// All of them in the text form of `OpenMetrics`.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        // Without its last line the text is no OpenMetrics, so half of it is taken for none.
        let _ = text::encode(&mut text, &self.registry);
        text
    }
}
