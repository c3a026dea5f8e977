//! How long a drain may take, and what it may cost.

use core::ops::RangeInclusive;
use core::time::Duration;

/// The limits of one drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In all: after this the proxy leaves, whatever is still undelivered.
    pub drain_timeout: Duration,
    /// Without one byte moving: after this a receiver counts as dead.
    pub stall_timeout: Duration,
    /// How far apart two quiet readings must be. A byte can be between two reads of Envoy's event loop, in no queue at all.
    pub settle: Duration,
    /// With more clusters than this `/clusters` is not asked: at 10,000 its answer is 35 MB and costs Envoy's main thread 0.2 s.
    pub max_clusters: u64,
    /// Whether Envoy may be shut down at all.
    pub may_quit: bool,
}

impl Limits {
    /// Five minutes: longer than any flush seen, shorter than the patience of whoever waits for the pod.
    pub const DRAIN_TIMEOUT: Duration = Duration::from_mins(5);
    /// Fifteen seconds: several retransmissions of a lost segment (0.2 s doubling) fit in.
    pub const STALL_TIMEOUT: Duration = Duration::from_secs(15);
    /// Three milliseconds: many turns of an event loop that takes microseconds.
    pub const SETTLE: Duration = Duration::from_millis(3);
    /// A mesh of 500 services: there `/clusters` takes about 10 ms.
    pub const MAX_CLUSTERS: u64 = 1_000;

    /// What [`Limits::drain_timeout`] and [`Limits::stall_timeout`] may be: a day is longer than any pod's deletion may take.
    pub const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_hours(24);
    /// What [`Limits::settle`] may be: Envoy's timers have a resolution of a millisecond, and ten seconds is a pod's patience.
    pub const SETTLES: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(10);
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
