//! The drain machine: events and time in, calls out.
//!
//! Three laws, held by the property tests: it always comes to rest within its limits plus [`SLACK`]; before its limits it never shuts
//! Envoy down while it has evidence of undelivered data; it never shuts Envoy down under [`Action::Drain`].

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::admin::{Answer, Call, CallId, Failure};
use crate::duration::milliseconds;
use crate::evidence::{Evidence, Standing};
use crate::limits::Limits;
use crate::time::Instant;
use crate::wire::{Action, Completion, Status, Unsent};

mod calls;
mod snapshot;

use self::calls::{Chores, Pending, QuitAttempts};
pub use self::snapshot::Snapshot;

/// How much later than its limits the machine may come to rest: the time of one unanswered call and its retry.
pub const SLACK: Duration = Duration::from_secs(10);

/// A wake-up that comes so much later than it was wanted finds that everything has stood still: Envoy hung, or its machine slept.
const LATE: Duration = Duration::from_millis(200);

/// Where the machine stands. `Draining` never goes back to `Serving`: a completion is a latch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No completion was seen.
    Serving,
    /// Inbound is failed and drained, outbound stays open, evidence is being collected, the deadline runs.
    Draining,
    /// Everything is delivered or a limit has passed, and Envoy is left to whoever owns it.
    Drained,
    /// Envoy was told to shut down, and is told again until it goes.
    Quitting,
}

/// What has happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A main container has ended for good, or new facts about it have come.
    Signal(Completion),
    /// A call was answered, or will not be.
    Answer(CallId, Answer),
    /// Nothing but time has passed.
    Tick,
}

/// A call to be made; its answer comes back as [`Event::Answer`] with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The name of the call.
    pub id: CallId,
    /// The call.
    pub call: Call,
}

/// Why `Draining` was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Two quiet readings: nothing is lost.
    Delivered,
    /// No byte has moved for [`Limits::stall_timeout`].
    Stalled,
    /// No witness could be had for [`Limits::stall_timeout`].
    Blind,
    /// [`Limits::drain_timeout`] has passed.
    DeadlinePassed,
}

/// A step from one state to the next, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state that was left.
    pub from: State,
    /// The state that was entered.
    pub to: State,
    /// Why, with what is undelivered, as a clause.
    pub why: String,
}

/// The drain of one proxy.
#[derive(Debug)]
pub struct Machine {
    limits: Limits,
    state: State,
    entered: Instant,
    /// The first completion, with the strictest action of all, and when it came.
    completion: Option<(Completion, Instant)>,
    evidence: Evidence,
    /// Why `Draining` was left, and after how long.
    left: Option<(Reason, Duration)>,
    next_id: u32,
    question: Option<Pending>,
    chores: Chores,
    quits: QuitAttempts,
    transitions: Vec<Transition>,
}

// === impl State ===

impl State {
    /// The name in the log and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Drained => "drained",
            Self::Quitting => "quitting",
        }
    }

    /// All states, in the order in which they are passed through. The place in it is the value of the metric `exeunt_state`.
    pub const ALL: [Self; 4] = [Self::Serving, Self::Draining, Self::Drained, Self::Quitting];

    /// The state called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

// === impl Reason ===

impl Reason {
    const fn clause(self) -> &'static str {
        match self {
            Self::Delivered => "everything is delivered",
            Self::Stalled => "no byte has moved for the stall timeout",
            Self::Blind => "neither the agent nor Envoy could say what is undelivered",
            Self::DeadlinePassed => "the drain timeout has passed",
        }
    }
}

// === impl Transition ===

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} => {}: {}", self.from.name(), self.to.name(), self.why)
    }
}

// === impl Machine ===

impl Machine {
    /// A machine that serves.
    #[must_use]
    pub fn new(limits: Limits, now: Instant) -> Self {
        Self {
            limits,
            state: State::Serving,
            entered: now,
            completion: None,
            evidence: Evidence::new(now),
            left: None,
            next_id: 0,
            question: None,
            chores: Chores::default(),
            quits: QuitAttempts::default(),
            transitions: Vec::new(),
        }
    }

    /// Takes `event` at `now` and returns the calls to be made.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        if self.next_wake().is_some_and(|wake| now.since(wake) >= LATE) {
            self.evidence.on_standstill(now);
        }
        self.evidence.on_time(now);
        match event {
            Event::Signal(completion) => self.on_signal(completion, now),
            Event::Answer(id, answer) => self.on_answer(id, answer, now),
            Event::Tick => {}
        }
        self.advance(now)
    }

    /// From `now` on it has no longer than `left`, whatever its limits were: its host has to leave.
    pub fn leave_within(&mut self, left: Duration, now: Instant) {
        let so_far = self.completion.as_ref().map_or(Duration::ZERO, |(_, at)| now.since(*at));
        self.limits.drain_timeout = self.limits.drain_timeout.min(so_far + left);
    }

    /// When [`Event::Tick`] is wanted next; `None` while there is nothing to wait for.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        match self.state {
            State::Serving | State::Drained => None,
            State::Draining => {
                let standing = match self.evidence.standing(&self.limits) {
                    Standing::Ask(at) if self.question.is_none() => Some(at),
                    Standing::Delivered => self.evidence.holds_until(&self.limits),
                    Standing::Held => self.evidence.falls_silent_at(),
                    Standing::Blind | Standing::Ask(_) => None,
                };
                let question = self.question.as_ref().map(Pending::overdue);
                let times = [Some(self.deadline()), self.stalls_at(), standing, question, self.chores.next_wake()];
                times.into_iter().flatten().min()
            }
            State::Quitting => self.quits.next_wake(),
        }
    }

    /// Where the machine stands.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Why `Draining` was left and how long it lasted; `None` before.
    #[must_use]
    pub const fn left(&self) -> Option<(Reason, Duration)> {
        self.left
    }

    /// What is known to be undelivered: by the kernel, else nothing.
    #[must_use]
    pub fn undelivered(&self) -> Unsent {
        self.evidence.facts().unwrap_or_default()
    }

    /// Requests in flight by Envoy's own count, where it was asked.
    #[must_use]
    pub const fn in_flight(&self) -> Option<u64> {
        self.evidence.in_flight()
    }

    /// The steps made since the last call, oldest first.
    pub fn take_transitions(&mut self) -> Vec<Transition> {
        core::mem::take(&mut self.transitions)
    }

    /// What others are told of this machine.
    #[must_use]
    pub fn status(&self, now: Instant) -> Status {
        self.snapshot(now).status(Duration::ZERO, &self.limits)
    }

    fn on_signal(&mut self, completion: Completion, now: Instant) {
        let unsent = completion.unsent;
        let first = self.completion.is_none();
        let merged = match self.completion.take() {
            Some((earlier, at)) => (completion.after(&earlier), at),
            None => (completion, now),
        };
        self.completion = Some(merged);
        if first {
            // Movement is judged from the completion on, not from the machine's start.
            self.evidence = Evidence::new(now);
        }
        if let Some(unsent) = unsent {
            self.evidence.on_facts(unsent, now, &self.limits);
        }
        if self.state == State::Serving {
            let why = self.completion.as_ref().map(|(completion, _)| completion.summary()).unwrap_or_default();
            self.enter(State::Draining, now, why);
            self.chores = Chores::of_a_drain(now);
        }
        if self.state == State::Quitting && !self.may_quit() {
            self.enter(State::Drained, now, "a later signal says to drain only".to_owned());
        }
    }

    fn on_answer(&mut self, id: CallId, answer: Answer, now: Instant) {
        if self.question.as_ref().is_some_and(|question| question.id == id) {
            let asked = self.question.take().map_or(now, |question| question.sent);
            match answer {
                Answer::ClusterCount(count) => self.evidence.on_cluster_count(count, now, &self.limits),
                Answer::InFlight(in_flight) => self.evidence.on_in_flight(in_flight, now.since(asked), now, &self.limits),
                Answer::Done | Answer::Failed(_) => self.evidence.on_miss(now),
            }
        } else {
            // An answer to neither is a late one: whatever it says was true before what is known now.
            self.chores.on_answer(id, answer, now);
            self.quits.on_answer(id, answer, now);
        }
    }

    /// Does whatever is due at `now`.
    fn advance(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.state == State::Draining {
            if self.question.as_ref().is_some_and(|question| now >= question.overdue()) {
                self.question = None;
                self.evidence.on_miss(now);
            }
            match self.may_leave(now) {
                Some(reason) => self.leave(reason, now),
                None => self.collect(now, &mut effects),
            }
        }
        if self.state == State::Quitting
            && let Some(call) = self.quits.due(now)
        {
            let id = self.name_call();
            self.quits.sent(id, now);
            effects.push(Effect { id, call });
        }
        effects
    }

    fn may_leave(&self, now: Instant) -> Option<Reason> {
        let standing = self.evidence.standing(&self.limits);
        if standing == Standing::Delivered && self.evidence.holds_until(&self.limits).is_none_or(|at| now >= at) {
            Some(Reason::Delivered)
        } else if now >= self.deadline() {
            Some(Reason::DeadlinePassed)
        } else if self.stalls_at().is_some_and(|at| now >= at) {
            Some(if standing == Standing::Blind { Reason::Blind } else { Reason::Stalled })
        } else {
            None
        }
    }

    fn leave(&mut self, reason: Reason, now: Instant) {
        let lasted = now.since(self.entered);
        self.left = Some((reason, lasted));
        self.question = None;
        let mut why = format!("{} after {} ms", reason.clause(), milliseconds(lasted));
        if reason != Reason::Delivered {
            let Unsent { connections, bytes, .. } = self.undelivered();
            let in_flight = self.in_flight().map_or_else(|| "unknown".to_owned(), |number| number.to_string());
            why = format!("{why}, undelivered: {bytes} bytes in {connections} connections, requests in flight: {in_flight}");
        }
        if self.may_quit() {
            self.quits = QuitAttempts::starting(now);
            self.enter(State::Quitting, now, why);
        } else {
            self.enter(State::Drained, now, why);
        }
    }

    fn collect(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        while let Some(call) = self.chores.due(now) {
            let id = self.name_call();
            self.chores.sent(id, call, now);
            effects.push(Effect { id, call });
        }
        if self.question.is_none() && matches!(self.evidence.standing(&self.limits), Standing::Ask(at) if now >= at) {
            let id = self.name_call();
            let call = if self.evidence.is_uncounted() { Call::CountClusters } else { Call::Clusters };
            self.question = Some(Pending::new(id, call, now));
            effects.push(Effect { id, call });
        }
    }

    fn may_quit(&self) -> bool {
        self.limits.may_quit && self.completion.as_ref().is_some_and(|(completion, _)| completion.action == Action::Quit)
    }

    fn deadline(&self) -> Instant {
        self.completion.as_ref().map_or(self.entered, |(_, at)| *at) + self.limits.drain_timeout
    }

    fn stalls_at(&self) -> Option<Instant> {
        self.evidence.shows_movement().then(|| self.evidence.moved() + self.limits.stall_timeout)
    }

    fn name_call(&mut self) -> CallId {
        self.next_id = self.next_id.wrapping_add(1);
        CallId(self.next_id)
    }

    fn enter(&mut self, to: State, now: Instant, why: String) {
        if self.state != to {
            self.transitions.push(Transition { from: self.state, to, why });
            self.state = to;
            self.entered = now;
        }
    }
}

#[cfg(test)]
mod tests;
