//! The state of a machine as data: another worker can resume it, and every worker can report it.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Machine, Reason, State};
use crate::duration::milliseconds;
use crate::evidence::Evidence;
use crate::fields::{Mistake, from_json};
use crate::limits::Limits;
use crate::machine::calls::QuitAttempts;
use crate::time::Instant;
use crate::wire::{Action, Completion, Status};

/// A machine at one moment. Times are counted back from that moment, so the machine can be resumed with another clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    state: State,
    in_state: Duration,
    completion: Option<(Completion, Duration)>,
    in_flight: Option<u64>,
    left: Option<(Reason, Duration)>,
}

/// A snapshot in the shared data.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    state: State,
    in_state_ms: u64,
    /// A [`Completion`], as a text of its own: it is checked by the same code as one from the wire.
    completion: Option<String>,
    completed_ms: Option<u64>,
    in_flight: Option<u64>,
    /// Why the drain ended, and how long it took.
    reason: Option<Reason>,
    drained_ms: Option<u64>,
}

// === impl Machine ===

impl Machine {
    /// The machine at `now`.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let completion = self.completion.as_ref().map(|(completion, at)| {
            // With the newest facts, whichever signal brought them.
            let newest = Completion { unsent: self.evidence.facts(), ..completion.clone() };
            (newest, now.since(*at))
        });
        let in_state = now.since(self.entered);
        Snapshot { state: self.state, in_state, completion, in_flight: self.in_flight(), left: self.left }
    }

    /// Resumes the machine of `snapshot`, which was taken `age` ago. It makes its calls again, and collects its evidence again. It keeps the
    /// facts only if they show undelivered data.
    #[must_use]
    pub fn resume(limits: Limits, snapshot: &Snapshot, age: Duration, now: Instant) -> Self {
        let back = |span: Duration| Instant::at(now.since_zero().saturating_sub(span).saturating_sub(age));
        let mut machine = Self::new(limits, now);
        machine.state = snapshot.state;
        machine.entered = back(snapshot.in_state);
        machine.evidence = Evidence::new(now);
        machine.left = snapshot.left;
        if let Some((completion, since)) = &snapshot.completion {
            machine.limits = limits.with(completion);
            machine.completion = Some((completion.clone(), back(*since)));
            if let Some(unsent) = completion.clone().remembered().unsent {
                machine.evidence.on_facts(unsent, now, &machine.limits);
            }
        }
        match machine.state {
            State::Draining => machine.inbound_drain = machine.inbound_drain_to_make(now),
            State::Quitting => machine.quits = QuitAttempts::starting(now),
            State::Serving | State::Drained => {}
        }
        machine
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// A machine in the state `Serving`.
    #[must_use]
    pub const fn serving() -> Self {
        Self { state: State::Serving, in_state: Duration::ZERO, completion: None, in_flight: None, left: None }
    }

    /// The machine after it has handled `completion`: for an answer that is sent before that.
    #[must_use]
    pub fn with(mut self, completion: Completion) -> Self {
        self.completion = Some(match self.completion.take() {
            Some((earlier, since)) if !completion.is_new_end(&earlier) => (completion.after(&earlier), since),
            _ => {
                self.state = State::Draining;
                self.in_state = Duration::ZERO;
                self.left = None;
                (completion, Duration::ZERO)
            }
        });
        self
    }

    /// The state of the machine.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// The status of the machine, `age` after the snapshot. `limits` are those of the configuration.
    #[must_use]
    pub fn status(&self, age: Duration, limits: &Limits) -> Status {
        let completion = self.completion.as_ref();
        let limits = completion.map_or(*limits, |(completion, _)| limits.with(completion));
        Status {
            state: self.state.name().to_owned(),
            container: completion.and_then(|(completion, _)| completion.container.clone()),
            action: completion.map(|(completion, _)| completion.action.name().to_owned()),
            quits: Some(limits.may_quit),
            in_flight: self.in_flight,
            unsent: completion.and_then(|(completion, _)| completion.unsent),
            since_ms: milliseconds(self.in_state + age),
            deadline_ms: completion.map(|(_, since)| milliseconds(limits.drain_timeout.saturating_sub(*since + age))),
            drain_timeout_ms: Some(milliseconds(limits.drain_timeout)),
            stall_timeout_ms: Some(milliseconds(limits.stall_timeout)),
            limit: self.left.and_then(|(reason, _)| reason.limit()).map(str::to_owned),
            version: crate::VERSION.to_owned(),
        }
    }

    /// The text for the shared data.
    #[must_use]
    pub fn to_json(&self) -> String {
        let completion = self.completion.as_ref();
        let stored = Stored {
            state: self.state,
            in_state_ms: milliseconds(self.in_state),
            completion: completion.map(|(completion, _)| completion.to_json()),
            completed_ms: completion.map(|(_, since)| milliseconds(*since)),
            in_flight: self.in_flight,
            reason: self.left.map(|(reason, _)| reason),
            drained_ms: self.left.map(|(_, lasted)| milliseconds(lasted)),
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Reads the text of [`Snapshot::to_json`]. Another version of the filter may have written it differently.
    ///
    /// # Errors
    /// If the text is not a snapshot of this version.
    pub fn parse(text: &[u8]) -> Result<Self, Vec<Mistake>> {
        let stored: Stored = from_json(text).map_err(|error| vec![Mistake::new("", format!("not a snapshot: {error}"))])?;
        let completion = stored.completion.map(|text| Completion::parse(text.as_bytes())).transpose()?;
        let completed = Duration::from_millis(stored.completed_ms.unwrap_or(0));
        Ok(Self {
            state: stored.state,
            in_state: Duration::from_millis(stored.in_state_ms),
            completion: completion.map(|completion| (completion, completed)),
            in_flight: stored.in_flight,
            left: stored.reason.map(|reason| (reason, Duration::from_millis(stored.drained_ms.unwrap_or(0)))),
        })
    }
}

// === impl Completion ===

impl Completion {
    /// Whether this signal is about another end than `earlier`, which is therefore no longer true: the task went on. Only under `drain` can
    /// it go on, because its proxy is still there.
    #[must_use]
    pub fn is_new_end(&self, earlier: &Self) -> bool {
        self.action == Action::Drain && earlier.action == Action::Drain && self.ended_at_ms > earlier.ended_at_ms
    }

    /// Merges this signal with an earlier one. A new end replaces the earlier one. Otherwise the name of the first container stays, and
    /// `drain` outranks `quit`, because it is worse to shut down a native sidecar than to leave a classic one running. New facts replace
    /// older ones; a signal without facts keeps them. The same is true of each limit.
    #[must_use]
    pub fn after(self, earlier: &Self) -> Self {
        if self.is_new_end(earlier) {
            return self;
        }
        let drain = self.action == Action::Drain || earlier.action == Action::Drain;
        Self {
            action: if drain { Action::Drain } else { Action::Quit },
            unsent: self.unsent.or(earlier.unsent),
            drain_timeout_ms: self.drain_timeout_ms.or(earlier.drain_timeout_ms),
            stall_timeout_ms: self.stall_timeout_ms.or(earlier.stall_timeout_ms),
            ..earlier.clone()
        }
    }

    /// This signal as another worker remembers it. It is no new reading: what was held then is held until somebody says otherwise, and an
    /// idle reading proves nothing about a later moment.
    #[must_use]
    pub fn remembered(self) -> Self {
        Self { unsent: self.unsent.filter(|unsent| !unsent.is_empty()), ..self }
    }

    /// What has ended and how, for the log.
    #[must_use]
    pub fn summary(&self) -> String {
        let end = match (self.exit_code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "exit status unknown".to_owned(),
        };
        let container = self.container.as_deref().unwrap_or("the task");
        format!("{container} has ended ({end}), action {}", self.action.name())
    }
}
