//! How long a drain may take, and what it may cost.

use core::ops::RangeInclusive;
use core::time::Duration;

use crate::wire::Completion;

/// The limits of one drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The whole drain: after this time it ends, even if data is still undelivered.
    pub drain_timeout: Duration,
    /// If no byte moves for this time, the receiver counts as dead.
    pub stall_timeout: Duration,
    /// The shortest time between two idle readings. A byte may be inside Envoy between a read and a write, where no queue shows it.
    pub settle: Duration,
    /// With more clusters than this, Envoy is not asked for `/clusters`: with 10,000 of them the answer has 35 MB and takes Envoy's main
    /// thread 0.2 s.
    pub max_clusters: u64,
    /// Whether Envoy may be shut down.
    pub may_quit: bool,
}

impl Limits {
    /// Five minutes: longer than any delivery that was measured, and short enough for those who wait for the pod.
    pub const DRAIN_TIMEOUT: Duration = Duration::from_mins(5);
    /// Fifteen seconds: time for six retransmissions of a lost segment (0.2 s, doubled each time).
    pub const STALL_TIMEOUT: Duration = Duration::from_secs(15);
    /// Three milliseconds: Envoy's event loop turns many times in this time.
    pub const SETTLE: Duration = Duration::from_millis(3);
    /// As in a mesh of 500 services. There `/clusters` takes about 10 ms.
    pub const MAX_CLUSTERS: u64 = 1_000;

    /// The allowed values of [`Limits::drain_timeout`] and [`Limits::stall_timeout`]. A day is longer than any drain should take.
    pub const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);
    /// The allowed values of [`Limits::settle`]. Envoy's timers have a resolution of a millisecond.
    pub const SETTLES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);

    /// These limits, but with those that `completion` brings. Who sends it knows the pod, and these may be for many pods.
    #[must_use]
    pub fn with(mut self, completion: &Completion) -> Self {
        self.drain_timeout = completion.drain_timeout_ms.map_or(self.drain_timeout, Duration::from_millis);
        self.stall_timeout = completion.stall_timeout_ms.map_or(self.stall_timeout, Duration::from_millis);
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            drain_timeout: Self::DRAIN_TIMEOUT,
            stall_timeout: Self::STALL_TIMEOUT,
            settle: Self::SETTLE,
            max_clusters: Self::MAX_CLUSTERS,
            may_quit: true,
        }
    }
}
