//! What is known about bytes that are not yet delivered, and what follows from it.
//!
//! Two witnesses: the agent, who reads the kernel's socket tables and reports every change of what they hold, and Envoy, whose
//! `/clusters` counts the requests in flight. The kernel is the primary one. A single quiet reading proves nothing, because a byte can
//! be between a read and a write of Envoy's, in no queue at all; two of them, `settle` apart with nothing against them between, do.

use core::time::Duration;

use crate::limits::Limits;
use crate::time::Instant;
use crate::wire::Unsent;

/// An agent repeats every second what holds data back. One that has not for two thirds of the stall timeout, but for no less and no
/// longer than this, has been killed, or cannot reach us, and what it said last proves neither that bytes move nor that they do not.
const SHORTEST_SILENCE: Duration = Duration::from_secs(2);
const LONGEST_SILENCE: Duration = Duration::from_secs(5);
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
    /// Envoy is no witness, and the agent has not confirmed what it said; or there is no agent.
    Blind,
}

/// The quiet readings of one witness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Quiet {
    first: Option<Instant>,
    confirmed: bool,
}

/// Everything known about what is undelivered.
#[derive(Clone, Debug)]
pub struct Evidence {
    facts: Option<Unsent>,
    /// When they are too old.
    old_at: Instant,
    /// The agent has said that data is held, and then nothing more.
    silent: bool,
    in_flight: Option<u64>,
    witness: Witness,
    misses: u32,
    /// By the kernel, as the agent reports it.
    kernel: Quiet,
    /// By Envoy's count.
    envoy: Quiet,
    /// When a byte was last known to move.
    moved: Instant,
    /// No question before this.
    ask_from: Instant,
    pause: Duration,
}

// === impl Quiet ===

impl Quiet {
    fn reading(&mut self, now: Instant, settle: Duration) {
        match self.first {
            None => self.first = Some(now),
            Some(first) => self.confirmed |= now.since(first) >= settle,
        }
    }
}

// === impl Evidence ===

impl Evidence {
    /// Nothing is known at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            facts: None,
            old_at: now,
            silent: false,
            in_flight: None,
            witness: Witness::Uncounted,
            misses: 0,
            kernel: Quiet::default(),
            envoy: Quiet::default(),
            moved: now,
            ask_from: now,
            pause: Duration::ZERO,
        }
    }

    /// The agent's newest facts.
    #[must_use]
    pub const fn facts(&self) -> Option<Unsent> {
        self.facts
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
        if self.facts.is_none_or(|last| last.connections != unsent.connections || last.bytes != unsent.bytes) {
            self.moved = now;
        }
        self.facts = Some(unsent);
        self.old_at = now + (limits.stall_timeout * 2 / 3).clamp(SHORTEST_SILENCE, LONGEST_SILENCE);
        self.silent = false;
        if unsent.is_empty() {
            self.kernel.reading(now, limits.settle);
        } else {
            // What Envoy has said before is void too: it was asked about a quieter time.
            self.kernel = Quiet::default();
            self.envoy = Quiet::default();
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
            self.envoy.reading(now, limits.settle);
            self.pause = limits.settle;
        } else {
            self.envoy = Quiet::default();
            self.pause = (self.pause * 2).clamp(limits.settle, MAX_PAUSE.max(limits.settle));
        }
        self.ask_from = now + self.pause.max(rest_after(latency));
    }

    /// Envoy tells how many clusters it has.
    pub fn on_cluster_count(&mut self, clusters: u64, now: Instant, limits: &Limits) {
        self.misses = 0;
        self.witness = if clusters > limits.max_clusters { Witness::TooDear } else { Witness::Willing };
        self.ask_from = self.ask_from.min(now);
    }

    /// Until `now` nobody has looked: that is no time in which nothing has moved.
    pub fn on_standstill(&mut self, now: Instant) {
        self.moved = now;
    }

    /// It is `now`, and the agent may have fallen silent.
    pub fn on_time(&mut self, now: Instant) {
        self.silent |= self.falls_silent_at().is_some_and(|at| now >= at);
    }

    /// When the agent has been silent for too long, if it says nothing.
    #[must_use]
    pub fn falls_silent_at(&self) -> Option<Instant> {
        let holds = self.facts.is_some_and(|facts| !facts.is_empty());
        (holds && !self.silent).then_some(self.old_at)
    }

    /// Until when, at least, an agent that has fallen silent is believed that data is held: for as long as a stalled receiver is waited
    /// for. Envoy's count does not show what the kernel still holds.
    #[must_use]
    pub fn holds_until(&self, limits: &Limits) -> Option<Instant> {
        self.silent.then(|| self.moved + limits.stall_timeout)
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
    pub fn standing(&self, limits: &Limits) -> Standing {
        let willing = matches!(self.witness, Witness::Uncounted | Witness::Willing);
        let delivered = match self.facts.filter(|_| !self.silent) {
            Some(facts) if !facts.is_empty() => return Standing::Held,
            // No process of the pod holds a connection through the proxy, so whatever Envoy still counts is its own (access logs,
            // traces): its count can confirm, but not contradict.
            Some(Unsent { downstream: Some(0), .. }) => self.kernel.confirmed || self.both_quiet(limits),
            Some(_) if willing => self.envoy.confirmed,
            Some(_) => self.kernel.confirmed,
            None => self.envoy.confirmed,
        };
        match (delivered, willing) {
            (true, _) => Standing::Delivered,
            (false, true) => Standing::Ask(self.ask_at()),
            (false, false) => Standing::Blind,
        }
    }

    /// Whether the absence of movement means anything: the kernel's queues show every byte that moves, Envoy's count of requests
    /// does not. With no witness at all, nothing is gained by waiting longer than for a stalled receiver.
    #[must_use]
    pub fn shows_movement(&self) -> bool {
        let kernel = self.facts.is_some() && !self.silent;
        kernel || matches!(self.witness, Witness::TooDear | Witness::Mute)
    }

    /// Each witness has given one quiet reading, far enough apart.
    fn both_quiet(&self, limits: &Limits) -> bool {
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

/// How long Envoy is left in peace after an answer that took `latency`.
fn rest_after(latency: Duration) -> Duration {
    if latency <= CHEAP { Duration::ZERO } else { latency * DUTY }
}
