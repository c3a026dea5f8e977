//! The calls of one drain: when each is due, when it counts as lost, and when it is repeated.

use core::time::Duration;

use super::{Answer, Call, CallId, Failure};
use crate::time::Instant;

/// The answer, or a failure, comes within the call's own timeout. After this additional time the call counts as lost.
const GUARD: Duration = Duration::from_millis(500);
/// How often each call of the inbound drain is tried. Nothing depends on it.
const ATTEMPTS: u32 = 3;
/// The pause before it is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// The pause before a failed quit is repeated; doubled each time, up to [`MAX_QUIT_PAUSE`].
const QUIT_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts to quit.
const MAX_QUIT_PAUSE: Duration = Duration::from_secs(5);
/// How long Envoy may take to end after the call. It takes 20 ms; with ten thousand clusters and little CPU perhaps a hundred times that.
const SHUTDOWN: Duration = Duration::from_secs(3);

/// A call that waits for its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) id: CallId,
    pub(super) sent: Instant,
    call: Call,
}

/// The two calls that stop new inbound requests. The drain does not wait for them: the task has ended, and no process serves such requests.
#[derive(Debug, Default)]
pub(super) struct InboundDrain {
    calls: Vec<Attempts>,
}

/// The attempts to make one of these calls.
#[derive(Debug)]
struct Attempts {
    call: Call,
    made: u32,
    due: Option<Instant>,
    pending: Option<Pending>,
}

/// The attempts to shut Envoy down: its admin interface and pilot-agent in turn.
#[derive(Debug, Default)]
pub(super) struct QuitAttempts {
    attempts: u32,
    due: Option<Instant>,
    pending: Option<Pending>,
}

// === impl Pending ===

impl Pending {
    pub(super) const fn new(id: CallId, call: Call, now: Instant) -> Self {
        Self { id, sent: now, call }
    }

    /// When the call counts as lost, whatever happens to the caller's own timeout.
    pub(super) fn overdue(&self) -> Instant {
        self.sent + self.call.timeout() + GUARD
    }
}

// === impl InboundDrain ===

impl InboundDrain {
    pub(super) fn starting(now: Instant) -> Self {
        let attempts = |call| Attempts { call, made: 0, due: Some(now), pending: None };
        Self { calls: [Call::FailHealthcheck, Call::DrainListeners].map(attempts).into() }
    }

    /// The call to make now, if there is one. Afterwards call [`InboundDrain::sent`].
    pub(super) fn due(&mut self, now: Instant) -> Option<Call> {
        for attempts in &mut self.calls {
            if attempts.pending.is_some_and(|pending| now >= pending.overdue()) {
                attempts.failed(now);
            }
        }
        self.calls.iter().find(|attempts| attempts.due.is_some_and(|due| now >= due)).map(|attempts| attempts.call)
    }

    pub(super) fn sent(&mut self, id: CallId, call: Call, now: Instant) {
        if let Some(attempts) = self.calls.iter_mut().find(|attempts| attempts.call == call) {
            attempts.made += 1;
            attempts.due = None;
            attempts.pending = Some(Pending::new(id, call, now));
        }
    }

    pub(super) fn on_answer(&mut self, id: CallId, answer: Answer, now: Instant) {
        let answered = |attempts: &&mut Attempts| attempts.pending.is_some_and(|pending| pending.id == id);
        if let Some(attempts) = self.calls.iter_mut().find(answered) {
            match answer {
                Answer::Failed(_) => attempts.failed(now),
                Answer::Done | Answer::ClusterCount(_) | Answer::InFlight(_) => attempts.pending = None,
            }
        }
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.calls.iter().filter_map(|attempts| attempts.due.or(attempts.pending.map(|pending| pending.overdue()))).min()
    }
}

// === impl Attempts ===

impl Attempts {
    fn failed(&mut self, now: Instant) {
        self.pending = None;
        self.due = (self.made < ATTEMPTS).then(|| now + PAUSE);
    }
}

// === impl QuitAttempts ===

impl QuitAttempts {
    pub(super) fn starting(now: Instant) -> Self {
        Self { attempts: 0, due: Some(now), pending: None }
    }

    /// The call to make now, if there is one. Afterwards call [`QuitAttempts::sent`].
    pub(super) fn due(&mut self, now: Instant) -> Option<Call> {
        if self.pending.is_some_and(|pending| now >= pending.overdue()) {
            self.failed(now);
        }
        self.due.is_some_and(|due| now >= due).then(|| self.next_call())
    }

    pub(super) fn sent(&mut self, id: CallId, now: Instant) {
        self.pending = Some(Pending::new(id, self.next_call(), now));
        self.attempts = self.attempts.saturating_add(1);
        self.due = None;
    }

    pub(super) fn on_answer(&mut self, id: CallId, answer: Answer, now: Instant) {
        if self.pending.is_some_and(|pending| pending.id == id) {
            match answer {
                // The cluster does not exist, or refuses: try the other one at once, and pause only after both have failed.
                Answer::Failed(Failure::NotSent | Failure::Status(_)) if self.attempts == 1 => {
                    self.pending = None;
                    self.due = Some(now);
                }
                Answer::Failed(_) => self.failed(now),
                Answer::Done | Answer::ClusterCount(_) | Answer::InFlight(_) => {
                    self.pending = None;
                    self.due = Some(now + SHUTDOWN);
                }
            }
        }
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.due.or(self.pending.map(|pending| pending.overdue()))
    }

    fn next_call(&self) -> Call {
        if self.attempts.is_multiple_of(2) { Call::Quit } else { Call::PilotAgentQuit }
    }

    fn failed(&mut self, now: Instant) {
        self.pending = None;
        // 0.1, 0.2, 0.4, … seconds; with 2^6 the limit is reached.
        self.due = Some(now + (QUIT_PAUSE * (1 << self.attempts.min(6))).min(MAX_QUIT_PAUSE));
    }
}
