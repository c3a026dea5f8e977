//! The drain machine: events and time go in, calls come out.
//!
//! Three laws, checked by property tests: a drain always ends within its limits plus [`SLACK`]; before its limits the machine never
//! shuts Envoy down while there is evidence of undelivered data; under [`Action::Drain`] it never shuts Envoy down.

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

use self::calls::{InboundDrain, Pending, QuitAttempts};
pub use self::snapshot::Snapshot;

/// How long after its limits a drain may end: the time of one unanswered call and its retry.
pub const SLACK: Duration = Duration::from_secs(10);

/// While it drains, the machine wants to be called at least this often, so that it notices when nobody has watched.
const WATCH: Duration = Duration::from_millis(500);
/// If a call comes this much later than [`WATCH`] demands, the process was suspended or blocked. That time must not count as a stall.
const LATE: Duration = Duration::from_millis(200);

/// The state of the machine. It never goes back to `Serving`. Under [`Action::Drain`] a new end of the task starts a new drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// There was no completion yet.
    Serving,
    /// Outbound connections stay open; inbound connections are drained if Envoy is to be shut down. The machine collects evidence until a
    /// limit is reached.
    Draining,
    /// Everything is delivered, or a limit was reached. Envoy stays running for kubelet to end.
    Drained,
    /// Envoy was told to shut down, and is told again until it ends.
    Quitting,
}

/// Something that has happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A completion has come: a main container has ended for good, or there are new facts.
    Signal(Completion),
    /// A call was answered, or has failed.
    Answer(CallId, Answer),
    /// Time has passed.
    Tick,
}

/// A call that the caller must make. Its answer comes back as [`Event::Answer`] with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The id of the call.
    pub id: CallId,
    /// The call.
    pub call: Call,
}

/// Why `Draining` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Two idle readings: everything is delivered.
    Delivered,
    /// No byte moved for [`Limits::stall_timeout`].
    Stalled,
    /// There was no evidence at all for [`Limits::stall_timeout`].
    Blind,
    /// [`Limits::drain_timeout`] has passed.
    DeadlinePassed,
}

/// A change of the state, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// The reason, with what is undelivered.
    pub why: String,
}

/// The drain of one proxy.
#[derive(Debug)]
pub struct Machine {
    /// The limits of the configuration.
    configured: Limits,
    /// The limits in force: a completion can bring others.
    limits: Limits,
    /// When the process that runs the machine has to end, if that is known.
    leave_by: Option<Instant>,
    /// When the machine was last called.
    watched: Instant,
    state: State,
    entered: Instant,
    /// The first completion, with the strictest action of all completions, and when it came.
    completion: Option<(Completion, Instant)>,
    evidence: Evidence,
    /// Why `Draining` ended, and how long it took.
    left: Option<(Reason, Duration)>,
    next_id: u32,
    question: Option<Pending>,
    inbound_drain: InboundDrain,
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

    /// All states, in their order. The index of a state is the value of the metric `exeunt_state`.
    pub const ALL: [Self; 4] = [Self::Serving, Self::Draining, Self::Drained, Self::Quitting];

    /// The state with this name.
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

    /// The limit on the wire; `None` if everything is delivered.
    #[must_use]
    pub const fn limit(self) -> Option<&'static str> {
        match self {
            Self::Delivered => None,
            Self::Stalled | Self::Blind => Some("stall-timeout"),
            Self::DeadlinePassed => Some("drain-timeout"),
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
    /// A machine in the state `Serving`.
    #[must_use]
    pub fn new(limits: Limits, now: Instant) -> Self {
        Self {
            configured: limits,
            limits,
            leave_by: None,
            watched: now,
            state: State::Serving,
            entered: now,
            completion: None,
            evidence: Evidence::new(now),
            left: None,
            next_id: 0,
            question: None,
            inbound_drain: InboundDrain::default(),
            quits: QuitAttempts::default(),
            transitions: Vec::new(),
        }
    }

    /// Handles `event` at the time `now`, and returns the calls to make.
    pub fn on(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        let unwatched = now.since(self.watched + WATCH);
        if self.state == State::Draining && unwatched >= LATE {
            self.evidence.on_suspension(unwatched);
        }
        self.watched = now;
        self.evidence.on_time(now);
        match event {
            Event::Signal(completion) => self.on_signal(completion, now),
            Event::Answer(id, answer) => self.on_answer(id, answer, now),
            Event::Tick => {}
        }
        self.advance(now)
    }

    /// Limits the rest of the drain to `left`, counted from `now`: the process that runs the machine has to end then. The last such limit
    /// counts.
    pub fn leave_within(&mut self, left: Duration, now: Instant) {
        self.leave_by = Some(now + left);
    }

    /// When the machine needs the next [`Event::Tick`]; `None` if it waits for nothing.
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
                let watch = Some(self.watched + WATCH);
                let times = [Some(self.deadline()), self.stalls_at(), standing, question, self.inbound_drain.next_wake(), watch];
                times.into_iter().flatten().min()
            }
            State::Quitting => self.quits.next_wake(),
        }
    }

    /// The current state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Why `Draining` ended and how long it took; `None` before that.
    #[must_use]
    pub const fn left(&self) -> Option<(Reason, Duration)> {
        self.left
    }

    /// The undelivered data in the newest facts from the agent.
    #[must_use]
    pub fn undelivered(&self) -> Unsent {
        self.evidence.facts().unwrap_or_default()
    }

    /// Requests in flight by Envoy's own count; `None` if Envoy was not asked.
    #[must_use]
    pub const fn in_flight(&self) -> Option<u64> {
        self.evidence.in_flight()
    }

    /// The changes of the state since the last call of this function, oldest first.
    pub fn take_transitions(&mut self) -> Vec<Transition> {
        core::mem::take(&mut self.transitions)
    }

    /// The status of this machine, for the wire.
    #[must_use]
    pub fn status(&self, now: Instant) -> Status {
        let deadline_ms = self.completion.as_ref().map(|_| milliseconds(self.deadline().since(now)));
        Status { deadline_ms, ..self.snapshot(now).status(Duration::ZERO, &self.configured) }
    }

    fn on_signal(&mut self, completion: Completion, now: Instant) {
        let unsent = completion.unsent;
        match self.completion.take() {
            Some((earlier, at)) if !completion.is_new_end(&earlier) => self.completion = Some((completion.after(&earlier), at)),
            _ => self.begin(completion, now),
        }
        self.limits = self.completion.as_ref().map_or(self.configured, |(completion, _)| self.configured.with(completion));
        if let Some(unsent) = unsent {
            self.evidence.on_facts(unsent, now, &self.limits);
        }
        if self.state == State::Quitting && !self.may_quit() {
            self.enter(State::Drained, now, "a later signal says to drain only".to_owned());
        }
    }

    /// Begins the drain of `completion`, the first one or a new end.
    fn begin(&mut self, completion: Completion, now: Instant) {
        let why = completion.summary();
        self.completion = Some((completion, now));
        // A stall is counted from the completion on, not from the machine's start.
        self.evidence = Evidence::new(now);
        (self.left, self.question) = (None, None);
        self.enter(State::Draining, now, why);
        self.entered = now;
        self.inbound_drain = self.inbound_drain_to_make(now);
    }

    /// The calls that stop new inbound requests. They cannot be undone, so a proxy that stays does not get them: if the task goes on after
    /// all, it still serves. Kubelet runs the preStop hook of a native sidecar, which drains.
    fn inbound_drain_to_make(&self, now: Instant) -> InboundDrain {
        let quits = self.completion.as_ref().is_some_and(|(completion, _)| completion.action == Action::Quit);
        if quits { InboundDrain::starting(now) } else { InboundDrain::default() }
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
            // Other answers are late, and older than what is known now.
            self.inbound_drain.on_answer(id, answer, now);
            self.quits.on_answer(id, answer, now);
        }
    }

    /// Does what is due at `now`.
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
            let id = self.next_call_id();
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
        while let Some(call) = self.inbound_drain.due(now) {
            let id = self.next_call_id();
            self.inbound_drain.sent(id, call, now);
            effects.push(Effect { id, call });
        }
        if self.question.is_none() && matches!(self.evidence.standing(&self.limits), Standing::Ask(at) if now >= at) {
            let id = self.next_call_id();
            let call = if self.evidence.is_uncounted() { Call::CountClusters } else { Call::Clusters };
            self.question = Some(Pending::new(id, call, now));
            effects.push(Effect { id, call });
        }
    }

    fn may_quit(&self) -> bool {
        self.limits.may_quit && self.completion.as_ref().is_some_and(|(completion, _)| completion.action == Action::Quit)
    }

    fn deadline(&self) -> Instant {
        let deadline = self.completion.as_ref().map_or(self.entered, |(_, at)| *at) + self.limits.drain_timeout;
        self.leave_by.map_or(deadline, |leave_by| leave_by.min(deadline))
    }

    fn stalls_at(&self) -> Option<Instant> {
        self.evidence.shows_movement().then(|| self.evidence.moved() + self.limits.stall_timeout)
    }

    fn next_call_id(&mut self) -> CallId {
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
