//! What is known about bytes that are not yet delivered, and what follows from it.
//!
//! Two witnesses: the agent, who reads the kernel's socket tables and reports every change of what they hold, and Envoy, whose
//! `/clusters` counts the requests in flight. The kernel is the primary one. A single quiet reading proves nothing, because a byte can
//! be between a read and a write of Envoy's, in no queue at all; two of them, `settle` apart with nothing against them between, do.

use core::time::Duration;

use crate::limits::Limits;
use crate::time::Instant;
use crate::wire::Unsent;

/// The agent reports every change within milliseconds, so after this silence its last report still holds. Ten of its slowest readings.
const SILENCE: Duration = Duration::from_secs(1);
/// Time for the agent's second quiet reading to arrive before Envoy is asked for one.
const AGENT_GRACE: Duration = Duration::from_millis(10);
/// Pause after an answer that was none; doubled with every further one.
const RETRY: Duration = Duration::from_millis(50);
/// After so many answers that were none, Envoy is no witness.
const MAX_MISSES: u32 = 4;
/// The longest pause between two looks at `/clusters`: short beside the 40 ms within which the end of a delivery is to be noticed.
const MAX_PAUSE: Duration = Duration::from_millis(20);
/// An answer that took no longer cost Envoy nothing worth sparing; most of its time it waited for its turn.
const CHEAP: Duration = Duration::from_millis(20);
/// Of dearer answers, Envoy's main thread may spend a tenth of its time on them.
const DUTY: u32 = 10;

/// Whether Envoy's own count can be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Witness {
    /// Nobody has asked how many clusters there are.
    Uncounted,
    /// `/clusters` is affordable.
    Willing,
    /// There are too many clusters to ask.
    TooDear,
    /// It was asked and brought nothing usable, [`MAX_MISSES`] times.
    Mute,
}

/// What should be done about the evidence, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Two quiet readings: everything is delivered.
    Delivered,
    /// The kernel holds undelivered data: only the agent can say when that is over.
    Held,
    /// Envoy should be asked at this time.
    Ask(Instant),
    /// Quiet, and nobody else to ask: delivered at this time, unless the agent says otherwise before.
    Silent(Instant),
    /// Nobody can say anything.
    Blind,
}

/// Everything known about what is undelivered.
#[derive(Clone, Debug)]
pub struct Evidence {
    facts: Option<(Unsent, Instant)>,
    in_flight: Option<u64>,
    witness: Witness,
    misses: u32,
    /// The first of the two quiet readings.
    quiet_since: Option<Instant>,
    /// The second was seen.
    confirmed: bool,
    /// When a byte was last known to move.
    moved: Instant,
    /// No question before this.
    ask_from: Instant,
    pause: Duration,
}

// === impl Evidence ===

impl Evidence {
    /// Nothing is known at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            facts: None,
            in_flight: None,
            witness: Witness::Uncounted,
            misses: 0,
            quiet_since: None,
            confirmed: false,
            moved: now,
            ask_from: now,
            pause: Duration::ZERO,
        }
    }

    /// The agent's newest facts.
    #[must_use]
    pub fn facts(&self) -> Option<Unsent> {
        self.facts.map(|(unsent, _)| unsent)
    }

    /// Envoy's newest count of requests in flight.
    #[must_use]
    pub const fn in_flight(&self) -> Option<u64> {
        self.in_flight
    }

    /// When a byte was last known to move.
    #[must_use]
    pub const fn moved(&self) -> Instant {
        self.moved
    }

    /// Whether the question about the number of clusters is still open.
    #[must_use]
    pub fn is_uncounted(&self) -> bool {
        self.witness == Witness::Uncounted
    }

    /// The agent reports what the kernel holds.
    pub fn on_facts(&mut self, unsent: Unsent, now: Instant, limits: &Limits) {
        let changed = self.facts.is_none_or(|(last, _)| last.connections != unsent.connections || last.bytes != unsent.bytes);
        if changed {
            self.moved = now;
        }
        self.facts = Some((unsent, now));
        if !unsent.is_empty() {
            self.disturbed();
        } else if self.facts_suffice() {
            self.quiet(now, limits);
        }
    }

    /// Envoy tells its requests in flight; `latency` is how long the answer took.
    pub fn on_in_flight(&mut self, in_flight: u64, latency: Duration, now: Instant, limits: &Limits) {
        if self.in_flight != Some(in_flight) {
            self.moved = now;
        }
        self.in_flight = Some(in_flight);
        self.misses = 0;
        if in_flight == 0 {
            self.quiet(now, limits);
            self.ask_from = now + limits.settle.max(rest_after(latency));
            self.pause = Duration::ZERO;
        } else if self.facts_suffice() {
            // Streams of Envoy's own (access logs, traces): no process of the pod has a connection that could have opened them.
            self.ask_from = now + MAX_PAUSE;
        } else {
            self.disturbed();
            self.pause = (self.pause * 2).clamp(limits.settle, MAX_PAUSE.max(limits.settle));
            self.ask_from = now + self.pause.max(rest_after(latency));
        }
    }

    /// Envoy tells how many clusters it has.
    pub fn on_cluster_count(&mut self, clusters: u64, now: Instant, limits: &Limits) {
        self.misses = 0;
        self.witness = if clusters > limits.max_clusters { Witness::TooDear } else { Witness::Willing };
        self.ask_from = self.ask_from.min(now);
    }

    /// A question brought nothing usable.
    pub fn on_miss(&mut self, now: Instant) {
        self.misses += 1;
        if self.misses >= MAX_MISSES {
            self.witness = Witness::Mute;
        }
        self.ask_from = now + RETRY * (1 << self.misses.min(MAX_MISSES));
    }

    /// What should be done, now.
    #[must_use]
    pub fn standing(&self, now: Instant) -> Standing {
        let facts = match self.facts {
            Some((unsent, _)) if !unsent.is_empty() => return Standing::Held,
            facts => facts,
        };
        if self.confirmed {
            return Standing::Delivered;
        }
        match (self.witness, facts) {
            (Witness::Uncounted | Witness::Willing, _) => Standing::Ask(self.ask_at()),
            (Witness::TooDear | Witness::Mute, Some((_, at))) if now >= at + SILENCE => Standing::Delivered,
            (Witness::TooDear | Witness::Mute, Some((_, at))) => Standing::Silent(at + SILENCE),
            (Witness::TooDear | Witness::Mute, None) => Standing::Blind,
        }
    }

    /// Whether the absence of movement means anything: the kernel's queues show every byte that moves, Envoy's count of requests
    /// does not. With no witness at all, nothing is gained by waiting longer than for a stalled receiver.
    #[must_use]
    pub fn shows_movement(&self) -> bool {
        self.facts.is_some() || matches!(self.witness, Witness::TooDear | Witness::Mute)
    }

    /// Whether the agent's quiet facts leave nothing for Envoy to say: no process of the pod holds a connection through it.
    fn facts_suffice(&self) -> bool {
        self.facts.is_some_and(|(unsent, _)| unsent.is_empty() && unsent.downstream == Some(0))
    }

    fn ask_at(&self) -> Instant {
        match self.quiet_since {
            Some(since) if self.facts_suffice() => self.ask_from.max(since + AGENT_GRACE),
            _ => self.ask_from,
        }
    }

    fn quiet(&mut self, now: Instant, limits: &Limits) {
        match self.quiet_since {
            None => self.quiet_since = Some(now),
            Some(since) => self.confirmed |= now.since(since) >= limits.settle,
        }
    }

    fn disturbed(&mut self) {
        self.quiet_since = None;
        self.confirmed = false;
    }
}

/// How long Envoy is left in peace after an answer that took `latency`.
fn rest_after(latency: Duration) -> Duration {
    if latency <= CHEAP { Duration::ZERO } else { latency * DUTY }
}
