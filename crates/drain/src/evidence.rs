//! What is known about undelivered data, and what to do next.
//!
//! There are two sources. The agent reads the kernel's socket tables and reports every change in them: this is the main source. It also
//! tells whether Envoy may still buffer access logs or spans, which counts like data that the kernel holds. Envoy
//! counts the requests in flight in `/clusters`. One idle reading proves nothing, because a byte may be inside Envoy between a read and
//! a write, where no queue shows it. Two idle readings, `settle` apart and with no other reading between them, prove that everything is
//! delivered.

use core::time::Duration;

use crate::limits::Limits;
use crate::time::Instant;
use crate::wire::Unsent;

/// While the kernel holds data, the agent reports it every second. If no report comes for two thirds of the stall timeout, but at least
/// and at most for these times, the agent was killed or cannot reach the filter. Its last report then no longer shows whether bytes move.
const SHORTEST_SILENCE: Duration = Duration::from_secs(2);
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
/// Time for the agent's second idle reading to arrive. Only after this time is Envoy asked for one.
const AGENT_GRACE: Duration = Duration::from_millis(10);
/// Pause after a call without a usable answer; doubled after each further one.
const RETRY: Duration = Duration::from_millis(50);
/// After this many calls without a usable answer, Envoy is not asked any more.
const MAX_MISSES: u32 = 4;
/// The longest pause between two calls of `/clusters`. The end of a delivery should be noticed within 40 ms.
const MAX_PAUSE: Duration = Duration::from_millis(20);
/// An answer that takes no longer than this costs Envoy almost nothing: it mostly waited for the main thread.
const CHEAP: Duration = Duration::from_millis(20);
/// For slower answers the pause is this many times as long as the answer took, so Envoy's main thread spends at most a tenth of its
/// time on them.
const DUTY: u32 = 10;

/// Whether Envoy can be asked for its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Availability {
    /// The number of clusters is not known yet.
    Uncounted,
    /// There are few enough clusters to ask for `/clusters`.
    Available,
    /// There are too many clusters.
    TooExpensive,
    /// Envoy gave no usable answer, [`MAX_MISSES`] times.
    Silent,
}

/// What the evidence says at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Two idle readings: everything is delivered.
    Delivered,
    /// The kernel holds undelivered data, or Envoy buffers telemetry. Only the agent can report when that ends.
    Held,
    /// Ask Envoy, at this time.
    Ask(Instant),
    /// Envoy cannot be asked, and the agent has not confirmed an idle reading, or there is no agent.
    Blind,
}

/// The idle readings of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Idle {
    first: Option<Instant>,
    confirmed: bool,
}

/// Everything that is known about undelivered data.
#[derive(Clone, Debug)]
pub struct Evidence {
    facts: Option<Unsent>,
    /// When the facts become too old.
    old_at: Instant,
    /// The agent has reported that data is held, and nothing after that.
    silent: bool,
    in_flight: Option<u64>,
    availability: Availability,
    misses: u32,
    /// The readings of the kernel, as the agent reports them.
    kernel: Idle,
    /// The readings of Envoy's count.
    envoy: Idle,
    /// When a byte moved last, as far as is known.
    moved: Instant,
    /// Envoy is not asked before this time.
    ask_from: Instant,
    pause: Duration,
}

// === impl Idle ===

impl Idle {
    fn reading(&mut self, now: Instant, settle: Duration) {
        match self.first {
            None => self.first = Some(now),
            Some(first) => self.confirmed |= now.since(first) >= settle,
        }
    }
}

// === impl Evidence ===

impl Evidence {
    /// Evidence without any reading.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            facts: None,
            old_at: now,
            silent: false,
            in_flight: None,
            availability: Availability::Uncounted,
            misses: 0,
            kernel: Idle::default(),
            envoy: Idle::default(),
            moved: now,
            ask_from: now,
            pause: Duration::ZERO,
        }
    }

    /// The newest facts from the agent.
    #[must_use]
    pub const fn facts(&self) -> Option<Unsent> {
        self.facts
    }

    /// The newest count of requests in flight from Envoy.
    #[must_use]
    pub const fn in_flight(&self) -> Option<u64> {
        self.in_flight
    }

    /// When a byte moved last, as far as is known.
    #[must_use]
    pub const fn moved(&self) -> Instant {
        self.moved
    }

    /// Whether the number of clusters is still unknown.
    #[must_use]
    pub fn is_uncounted(&self) -> bool {
        self.availability == Availability::Uncounted
    }

    /// The agent reports what the kernel holds.
    pub fn on_facts(&mut self, unsent: Unsent, now: Instant, limits: &Limits) {
        let counts = |facts: Unsent| (facts.connections, facts.bytes, facts.buffers);
        // The flush of a buffer is not seen, so each report of one counts.
        if unsent.buffers > 0 || self.facts.is_none_or(|last| counts(last) != counts(unsent)) {
            self.moved = now;
        }
        self.facts = Some(unsent);
        self.old_at = now + (limits.stall_timeout * 2 / 3).clamp(SHORTEST_SILENCE, LONGEST_SILENCE);
        self.silent = false;
        if unsent.is_empty() {
            self.kernel.reading(now, limits.settle);
        } else {
            // Earlier readings of Envoy's count do not count either: there is new data since then.
            self.kernel = Idle::default();
            self.envoy = Idle::default();
        }
    }

    /// Envoy reports its requests in flight. `latency` is how long the answer took.
    pub fn on_in_flight(&mut self, in_flight: u64, latency: Duration, now: Instant, limits: &Limits) {
        if self.in_flight != Some(in_flight) {
            self.moved = now;
        }
        self.in_flight = Some(in_flight);
        self.misses = 0;
        if in_flight == 0 {
            self.envoy.reading(now, limits.settle);
            self.pause = limits.settle;
        } else {
            self.envoy = Idle::default();
            self.pause = (self.pause * 2).clamp(limits.settle, MAX_PAUSE.max(limits.settle));
        }
        self.ask_from = now + self.pause.max(rest_after(latency));
    }

    /// Envoy reports how many clusters it has.
    pub fn on_cluster_count(&mut self, clusters: u64, now: Instant, limits: &Limits) {
        self.misses = 0;
        self.availability = if clusters > limits.max_clusters { Availability::TooExpensive } else { Availability::Available };
        self.ask_from = self.ask_from.min(now);
    }

    /// Nothing was observed for `time`, which must not count as a stall, nor as the agent's silence.
    pub fn on_suspension(&mut self, time: Duration) {
        self.moved = self.moved + time;
        self.old_at = self.old_at + time;
    }

    /// It is `now`: checks whether the agent is silent.
    pub fn on_time(&mut self, now: Instant) {
        self.silent |= self.falls_silent_at().is_some_and(|at| now >= at);
    }

    /// When the agent will count as silent if no report comes.
    #[must_use]
    pub fn falls_silent_at(&self) -> Option<Instant> {
        let holds = self.facts.is_some_and(|facts| !facts.is_empty());
        (holds && !self.silent).then_some(self.old_at)
    }

    /// If the agent is silent: until when the drain waits at least, because the kernel held data in its last report. Envoy's count does
    /// not show that data. The drain waits as long as for a stalled receiver.
    #[must_use]
    pub fn holds_until(&self, limits: &Limits) -> Option<Instant> {
        self.silent.then(|| self.moved + limits.stall_timeout)
    }

    /// A call brought no usable answer.
    pub fn on_miss(&mut self, now: Instant) {
        self.misses += 1;
        if self.misses >= MAX_MISSES {
            self.availability = Availability::Silent;
        }
        self.ask_from = now + RETRY * (1 << self.misses.min(MAX_MISSES));
    }

    /// What the evidence says now.
    #[must_use]
    pub fn standing(&self, limits: &Limits) -> Standing {
        let available = matches!(self.availability, Availability::Uncounted | Availability::Available);
        let delivered = match self.facts.filter(|_| !self.silent) {
            Some(facts) if !facts.is_empty() => return Standing::Held,
            // No process of the pod has a connection through the proxy, so the requests that Envoy counts are its own (access logs,
            // traces). Its count can confirm an idle reading, but not refute it.
            Some(Unsent { downstream: Some(0), .. }) => self.kernel.confirmed || self.both_idle(limits),
            Some(_) if available => self.envoy.confirmed,
            Some(_) => self.kernel.confirmed,
            None => self.envoy.confirmed,
        };
        match (delivered, available) {
            (true, _) => Standing::Delivered,
            (false, true) => Standing::Ask(self.ask_at()),
            (false, false) => Standing::Blind,
        }
    }

    /// Whether a stall can be recognized. The kernel's queues show every byte that moves; Envoy's count of requests does not, and its buffers
    /// are flushed by the clock. With no source at all the drain waits no longer than for a stalled receiver.
    #[must_use]
    pub fn shows_movement(&self) -> bool {
        let kernel = self.facts.is_some_and(|facts| facts.buffers == 0) && !self.silent;
        kernel || matches!(self.availability, Availability::TooExpensive | Availability::Silent)
    }

    /// Whether both sources have given an idle reading, far enough apart.
    fn both_idle(&self, limits: &Limits) -> bool {
        match (self.kernel.first, self.envoy.first) {
            (Some(kernel), Some(envoy)) => kernel.since(envoy).max(envoy.since(kernel)) >= limits.settle,
            _ => false,
        }
    }

    fn ask_at(&self) -> Instant {
        let agent_confirms = self.facts.is_some_and(|facts| facts.downstream == Some(0));
        match self.kernel.first {
            Some(first) if agent_confirms => self.ask_from.max(first + AGENT_GRACE),
            _ => self.ask_from,
        }
    }
}

/// The pause after an answer that took `latency`.
fn rest_after(latency: Duration) -> Duration {
    if latency <= CHEAP { Duration::ZERO } else { latency * DUTY }
}
