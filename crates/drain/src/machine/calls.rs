//! The calls of one drain: when each is due, when it counts as lost, and when it is made again.

use core::time::Duration;

use super::{Answer, Call, CallId, Failure};
use crate::time::Instant;

/// An answer, or the news that there is none, comes within the call's own timeout; after this much more it counts as lost.
const GUARD: Duration = Duration::from_millis(500);
/// A chore is tried so often; nothing depends on it.
const CHORE_ATTEMPTS: u32 = 3;
/// Pause before a chore is tried again.
const CHORE_PAUSE: Duration = Duration::from_millis(100);
/// Pause before the first repetition of a quit that failed; doubled up to [`MAX_QUIT_PAUSE`].
const QUIT_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts to quit.
const MAX_QUIT_PAUSE: Duration = Duration::from_secs(5);
/// Envoy leaves within 20 ms of the call; with ten thousand clusters, throttled, it may need a hundred times that.
const LEAVING: Duration = Duration::from_secs(3);

/// A call on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub(super) id: CallId,
    pub(super) sent: Instant,
    call: Call,
}

/// The two calls that stop new inbound work. Nothing waits for them: a batch pod that has ended gets no work that counts.
#[derive(Debug, Default)]
pub(super) struct Chores {
    list: Vec<Chore>,
}

#[derive(Debug)]
struct Chore {
    call: Call,
    attempts: u32,
    due: Option<Instant>,
    pending: Option<Pending>,
}

/// The attempts to shut Envoy down, by its admin interface and by pilot-agent in turn.
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

    /// When the call counts as lost, whatever the caller's own timeout does.
    pub(super) fn overdue(&self) -> Instant {
        self.sent + self.call.timeout() + GUARD
    }
}

// === impl Chores ===

impl Chores {
    pub(super) fn of_a_drain(now: Instant) -> Self {
        let chore = |call| Chore { call, attempts: 0, due: Some(now), pending: None };
        Self { list: [Call::FailHealthcheck, Call::DrainListeners].map(chore).into() }
    }

    /// A call that is to be made now, if any. Follow it with [`Chores::sent`].
    pub(super) fn due(&mut self, now: Instant) -> Option<Call> {
        for chore in &mut self.list {
            if chore.pending.is_some_and(|pending| now >= pending.overdue()) {
                chore.failed(now);
            }
        }
        self.list.iter().find(|chore| chore.due.is_some_and(|due| now >= due)).map(|chore| chore.call)
    }

    pub(super) fn sent(&mut self, id: CallId, call: Call, now: Instant) {
        if let Some(chore) = self.list.iter_mut().find(|chore| chore.call == call) {
            chore.attempts += 1;
            chore.due = None;
            chore.pending = Some(Pending::new(id, call, now));
        }
    }

    pub(super) fn on_answer(&mut self, id: CallId, answer: Answer, now: Instant) {
        if let Some(chore) = self.list.iter_mut().find(|chore| chore.pending.is_some_and(|pending| pending.id == id)) {
            match answer {
                Answer::Failed(_) => chore.failed(now),
                Answer::Done | Answer::ClusterCount(_) | Answer::InFlight(_) => chore.pending = None,
            }
        }
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.list.iter().filter_map(|chore| chore.due.or(chore.pending.map(|pending| pending.overdue()))).min()
    }
}

// === impl Chore ===

impl Chore {
    fn failed(&mut self, now: Instant) {
        self.pending = None;
        self.due = (self.attempts < CHORE_ATTEMPTS).then(|| now + CHORE_PAUSE);
    }
}

// === impl QuitAttempts ===

impl QuitAttempts {
    pub(super) fn starting(now: Instant) -> Self {
        Self { attempts: 0, due: Some(now), pending: None }
    }

    /// The call that is to be made now, if any. Follow it with [`QuitAttempts::sent`].
    pub(super) fn due(&mut self, now: Instant) -> Option<Call> {
        if self.pending.is_some_and(|pending| now >= pending.overdue()) {
            self.failed(now);
        }
        self.due.is_some_and(|due| now >= due).then(|| self.way())
    }

    pub(super) fn sent(&mut self, id: CallId, now: Instant) {
        self.pending = Some(Pending::new(id, self.way(), now));
        self.attempts = self.attempts.saturating_add(1);
        self.due = None;
    }

    pub(super) fn on_answer(&mut self, id: CallId, answer: Answer, now: Instant) {
        if self.pending.is_some_and(|pending| pending.id == id) {
            match answer {
                // The cluster is not there, or will not take it: the other way at once, and the pause after both have failed.
                Answer::Failed(Failure::NotSent | Failure::Status(_)) if self.attempts == 1 => {
                    self.pending = None;
                    self.due = Some(now);
                }
                Answer::Failed(_) => self.failed(now),
                Answer::Done | Answer::ClusterCount(_) | Answer::InFlight(_) => {
                    self.pending = None;
                    self.due = Some(now + LEAVING);
                }
            }
        }
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.due.or(self.pending.map(|pending| pending.overdue()))
    }

    fn way(&self) -> Call {
        if self.attempts.is_multiple_of(2) { Call::Quit } else { Call::PilotAgentQuit }
    }

    fn failed(&mut self, now: Instant) {
        self.pending = None;
        // 0.1, 0.2, 0.4, … seconds: 2^6 is past the limit.
        self.due = Some(now + (QUIT_PAUSE * (1 << self.attempts.min(6))).min(MAX_QUIT_PAUSE));
    }
}
