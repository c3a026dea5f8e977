//! What survives of a machine when the worker that runs it goes, and what every other worker tells of it meanwhile.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Machine, State};
use crate::duration::milliseconds;
use crate::evidence::Evidence;
use crate::fields::{Mistake, from_json};
use crate::limits::Limits;
use crate::machine::calls::{Chores, QuitAttempts};
use crate::time::Instant;
use crate::wire::{Action, Completion, Status};

/// A machine at one moment. Times are spans back from that moment, so that it can be resumed on another clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    state: State,
    in_state: Duration,
    completion: Option<(Completion, Duration)>,
    in_flight: Option<u64>,
}

/// A snapshot as it stands in shared data.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Stored {
    state: State,
    in_state_ms: u64,
    /// A [`Completion`], as JSON of its own: what it may hold is checked where it is read from the wire, too.
    completion: Option<String>,
    completed_ms: Option<u64>,
    in_flight: Option<u64>,
}

// === impl Machine ===

impl Machine {
    /// The machine at `now`.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> Snapshot {
        let completion = self.completion.as_ref().map(|(completion, at)| {
            // The newest facts, whichever signal brought them.
            let newest = Completion { unsent: self.evidence.facts(), ..completion.clone() };
            (newest, now.since(*at))
        });
        Snapshot { state: self.state, in_state: now.since(self.entered), completion, in_flight: self.in_flight() }
    }

    /// The machine that `snapshot`, taken `age` ago, was. What it had asked is asked again, and what it believed is collected anew:
    /// of the facts, only those that speak against leaving are kept.
    #[must_use]
    pub fn resume(limits: Limits, snapshot: &Snapshot, age: Duration, now: Instant) -> Self {
        let back = |span: Duration| Instant::at(now.since_zero().saturating_sub(span).saturating_sub(age));
        let mut machine = Self::new(limits, now);
        machine.state = snapshot.state;
        machine.entered = back(snapshot.in_state);
        machine.evidence = Evidence::new(now);
        if let Some((completion, since)) = &snapshot.completion {
            machine.completion = Some((completion.clone(), back(*since)));
            if let Some(unsent) = completion.unsent.filter(|unsent| !unsent.is_empty()) {
                machine.evidence.on_facts(unsent, now, &limits);
            }
        }
        match machine.state {
            State::Draining => machine.chores = Chores::of_a_drain(now),
            State::Quitting => machine.quits = QuitAttempts::starting(now),
            State::Serving | State::Drained => {}
        }
        machine
    }
}

// === impl Snapshot ===

impl Snapshot {
    /// A machine that serves.
    #[must_use]
    pub const fn serving() -> Self {
        Self { state: State::Serving, in_state: Duration::ZERO, completion: None, in_flight: None }
    }

    /// The machine as it will stand once `completion` has been taken: for the answer that is given before its turn comes.
    #[must_use]
    pub fn with(mut self, completion: Completion) -> Self {
        let (merged, since) = match self.completion.take() {
            Some((earlier, since)) => (completion.after(&earlier), since),
            None => (completion, Duration::ZERO),
        };
        self.completion = Some((merged, since));
        if self.state == State::Serving {
            self.state = State::Draining;
            self.in_state = Duration::ZERO;
        }
        self
    }

    /// The state at that moment.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// What is told of it `age` later.
    #[must_use]
    pub fn status(&self, age: Duration, limits: &Limits) -> Status {
        let completion = self.completion.as_ref();
        Status {
            state: self.state.name().to_owned(),
            container: completion.map(|(completion, _)| completion.container.clone()),
            in_flight: self.in_flight,
            unsent: completion.and_then(|(completion, _)| completion.unsent),
            since_ms: milliseconds(self.in_state + age),
            deadline_ms: completion.map(|(_, since)| milliseconds(limits.drain_timeout.saturating_sub(*since + age))),
            version: crate::VERSION.to_owned(),
        }
    }

    /// As text, for shared data.
    #[must_use]
    pub fn to_json(&self) -> String {
        let completion = self.completion.as_ref();
        let stored = Stored {
            state: self.state,
            in_state_ms: milliseconds(self.in_state),
            completion: completion.map(|(completion, _)| completion.to_json()),
            completed_ms: completion.map(|(_, since)| milliseconds(*since)),
            in_flight: self.in_flight,
        };
        serde_json::to_string(&stored).unwrap_or_default()
    }

    /// Reads [`Snapshot::to_json`]. If another version of the filter has written it so that it cannot be read, it counts as absent.
    pub fn parse(text: &[u8]) -> Result<Self, Vec<Mistake>> {
        let stored: Stored = from_json(text).map_err(|error| vec![Mistake::new("", format!("not a snapshot: {error}"))])?;
        let completion = stored.completion.map(|text| Completion::parse(text.as_bytes())).transpose()?;
        let completed = Duration::from_millis(stored.completed_ms.unwrap_or(0));
        Ok(Self {
            state: stored.state,
            in_state: Duration::from_millis(stored.in_state_ms),
            completion: completion.map(|completion| (completion, completed)),
            in_flight: stored.in_flight,
        })
    }
}

// === impl Completion ===

impl Completion {
    /// This signal, coming after `earlier`: the first container keeps its name, `drain` outranks `quit` (to shut Envoy down in a native
    /// sidecar is worse than to leave it), and facts replace older ones but their absence does not.
    #[must_use]
    pub fn after(self, earlier: &Self) -> Self {
        let drain = self.action == Action::Drain || earlier.action == Action::Drain;
        Self {
            action: if drain { Action::Drain } else { Action::Quit },
            unsent: self.unsent.or(earlier.unsent),
            ..earlier.clone()
        }
    }

    /// What ended and how, as a clause for the log.
    #[must_use]
    pub fn summary(&self) -> String {
        let end = match (self.exit_code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "exit status unknown".to_owned(),
        };
        format!("{} has ended ({end}), action {}", self.container, self.action.name())
    }
}
