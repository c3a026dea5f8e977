//! What became of one pod, as a line, as an object, and as an Event.

use jiff::Timestamp;
use serde::Serialize;

use super::due::MOST_TRIES;
use crate::cluster::{Note, Target, Weight};
use crate::observe::Loss;
use crate::output::safe;
use crate::pod::Verdict;
use crate::rescue::{Cause, Hindrance, Outcome};

/// What became of one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Its proxy has ended.
    Ended,
    /// It would be ended, but this is a dry run.
    WouldEnd,
    /// It has gone, needs no rescue any more, or somebody else was first.
    Settled,
    /// An earlier rescue has failed, and the next one must wait; or kubelet still waits for its image.
    Waits,
    /// The API server has not accepted the container.
    Refused,
    /// Kubelet cannot have the agent's image.
    NoImage,
    /// The agent has not ended in time.
    TimedOut,
    /// The agent has ended, and the proxy has not.
    NotEnded,
    /// The last try has failed.
    GivenUp,
}

/// What became of one pod.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its uid.
    pub uid: String,
    /// When its last main container ended.
    pub since: Timestamp,
    /// What became of it.
    pub result: Fate,
    /// The same for a person.
    pub says: String,
    /// What the agent has written.
    pub verdict: Option<Verdict>,
}

// === impl Fate ===

impl Fate {
    /// Whether the pod is stuck as before.
    #[must_use]
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::Ended | Self::WouldEnd | Self::Settled)
    }
}

// === impl Report ===

impl Report {
    /// A report without a verdict.
    #[must_use]
    pub fn new(target: Target, since: Timestamp, result: Fate, says: impl Into<String>) -> Self {
        Self { namespace: target.namespace, pod: target.pod, uid: target.uid, since, result, says: says.into(), verdict: None }
    }

    /// What became of a rescue that has begun. `failed` is how many have failed before it.
    #[must_use]
    pub(super) fn of(target: Target, since: Timestamp, failed: u32, outcome: Outcome) -> Self {
        let told = outcome.told();
        let (result, says) = if outcome.is_gone {
            (Fate::Ended, told)
        } else if failed + 1 >= MOST_TRIES {
            (Fate::GivenUp, given_up(&told))
        } else {
            (of_trouble(outcome.cause), told)
        };
        Self { verdict: outcome.verdict, ..Self::new(target, since, result, says) }
    }

    /// Why a rescue has not begun. `refused` is how many were refused before it.
    #[must_use]
    pub(super) fn hindered(target: Target, since: Timestamp, refused: u32, hindrance: Hindrance) -> Self {
        match hindrance {
            Hindrance::Settled(why) => Self::new(target, since, Fate::Settled, format!("left alone: {why}")),
            Hindrance::Barred(why) | Hindrance::Refused(why) if refused + 1 >= MOST_TRIES => {
                Self::new(target, since, Fate::GivenUp, given_up(&why))
            }
            Hindrance::Barred(why) | Hindrance::Refused(why) => {
                Self::new(target, since, Fate::Refused, format!("not ended: {why}"))
            }
        }
    }

    /// One line for a person.
    #[must_use]
    pub fn line(&self) -> String {
        safe(&format!("{}/{}: {}", self.namespace, self.pod, self.says))
    }

    /// The Event of it, if it is worth one.
    #[must_use]
    pub(super) fn note(&self) -> Option<Note> {
        let (weight, reason) = match self.result {
            // A pod that has gone with its verdict needs no Event.
            Fate::Ended if self.verdict.is_some() => (Weight::Normal, "ProxyEnded"),
            Fate::Refused | Fate::NoImage | Fate::TimedOut | Fate::NotEnded => (Weight::Warning, "NotEnded"),
            Fate::GivenUp => (Weight::Warning, "GivenUp"),
            Fate::Ended | Fate::WouldEnd | Fate::Settled | Fate::Waits => return None,
        };
        Some(self.with(weight, reason, &self.says))
    }

    /// The Event of what was lost, if something was.
    #[must_use]
    pub(super) fn loss(&self) -> Option<Note> {
        let loss = Loss::of(self.verdict.as_ref()?)?;
        Some(self.with(Weight::Warning, "BytesLost", &loss.sentence()))
    }

    fn with(&self, weight: Weight, reason: &'static str, text: &str) -> Note {
        let (namespace, pod, uid) = (self.namespace.clone(), self.pod.clone(), self.uid.clone());
        Note { namespace, pod, uid, weight, reason, text: safe(text) }
    }
}

fn of_trouble(cause: Option<Cause>) -> Fate {
    match cause {
        Some(Cause::NoImage) => Fate::NoImage,
        Some(Cause::Time) => Fate::TimedOut,
        None => Fate::NotEnded,
    }
}

fn given_up(why: &str) -> String {
    format!("given up after {MOST_TRIES} tries: {why}. `kubectl exeunt explain` says what keeps the pod")
}
