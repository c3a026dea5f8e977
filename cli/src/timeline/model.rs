//! What a picture shows. A program gets the same as JSON.

use jiff::Timestamp;
use serde::Serialize;

use super::drain::{self, Drain};
use super::kept::{self, Kept};
use super::{instants, lanes, notes};
use crate::pod::{Facts, Part, Surroundings};
use crate::rules::{self, Case};

/// The life of a pod.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// Its namespace; empty in a file without one.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// Its uid.
    pub uid: String,
    /// Whether it does not end by itself although its task has ended.
    #[serde(skip)]
    pub is_stuck: bool,
    /// The word for the state that it is in.
    pub state: &'static str,
    /// The same as a sentence.
    #[serde(skip)]
    pub sentence: &'static str,
    /// The first instant. `None`: no time is known.
    pub from: Option<Timestamp>,
    /// The last instant.
    pub until: Option<Timestamp>,
    /// When the pod was looked at, if it has not ended, or waits for its deletion.
    pub looked_at: Option<Timestamp>,
    /// One lane for each container, in the order of their start.
    pub containers: Vec<Lane>,
    /// What has kept the pod after the end of the task.
    pub kept: Option<Kept>,
    /// The drain, by the verdict of the agent.
    pub drain: Option<Drain>,
    /// What has happened, in order.
    pub instants: Vec<Instant>,
    /// What the picture cannot show, and how exact it is.
    pub notes: Vec<String>,
    /// What could not be asked.
    pub unknown: Vec<String>,
}

/// One container.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lane {
    /// Its name.
    pub container: String,
    /// Its part in the pod.
    pub role: &'static str,
    /// The same for the choice of a colour.
    #[serde(skip)]
    pub part: Part,
    /// Whether its end, too, is needed for the end of the pod.
    #[serde(skip)]
    pub keeps: bool,
    /// What it does now.
    pub state: String,
    /// How often kubelet has started it again.
    pub restarts: i32,
    /// The instances whose times are known, oldest first.
    pub instances: Vec<Span>,
}

/// One instance of a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// When it started, to the second. `None`: unknown.
    pub started: Option<Timestamp>,
    /// When it ended, to the second. `None`: it runs, or the time is unknown.
    pub ended: Option<Timestamp>,
    /// How it has ended.
    pub outcome: Outcome,
    /// Its exit code, if it has ended.
    pub exit_code: Option<i32>,
}

/// How an instance has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It runs.
    Runs,
    /// With exit code 0.
    Succeeded,
    /// With another exit code, or by a signal.
    Failed,
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instant {
    /// When.
    pub at: Timestamp,
    /// How exact that is.
    pub resolution: Resolution,
    /// Who says so.
    pub source: Source,
    /// What has happened.
    pub text: String,
    /// Whether it is one of the pod's own, which the picture marks.
    pub is_marked: bool,
}

/// How exact a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Resolution {
    /// To the second, which is cut off and not rounded.
    Second,
    /// To the millisecond, or better.
    Millisecond,
}

/// Who says when something has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The pod itself: metadata and status.
    Pod,
    /// An Event of the pod.
    Event,
    /// A line of a log: it is written after what it tells of.
    Log,
}

// === impl Timeline ===

impl Timeline {
    /// The life of the pod until `now`.
    #[must_use]
    pub fn of(facts: &Facts<'_>, around: &Surroundings, now: Timestamp) -> Self {
        let case = Case { facts, around };
        let standing = case.standing(&rules::findings(&case), now);
        let containers = lanes::of(facts);
        let drain = drain::of(facts, around.history.as_ref());
        let instants = instants::of(facts, around.history.as_ref());
        let ends = containers.iter().flat_map(|lane| &lane.instances).flat_map(|span| [span.started, span.ended]);
        let drained = drain.as_ref().and_then(|drain| Some([drain.from?, drain.until()?]));
        let known = ends.flatten().chain(instants.iter().map(|instant| instant.at)).chain(drained.into_iter().flatten());
        let known = known.collect::<Vec<_>>();
        // A finalizer keeps a pod that has ended.
        let goes_on = !known.is_empty() && (!facts.is_over() || facts.deleted().is_some());
        let looked_at = goes_on.then_some(now);
        let from = known.iter().min().copied();
        let until = known.iter().copied().chain(looked_at).max();
        let kept = kept::of(facts, &containers, now);
        let notes = notes::of(facts, around.history.as_ref(), &containers, drain.as_ref());
        Self {
            namespace: facts.namespace.to_owned(),
            pod: facts.name.to_owned(),
            uid: facts.uid.to_owned(),
            is_stuck: standing.is_stuck(),
            state: standing.word(),
            sentence: standing.sentence(),
            from,
            until,
            looked_at,
            containers,
            kept,
            drain,
            instants,
            notes,
            unknown: around.history.as_ref().map(|history| history.unknown.clone()).unwrap_or_default(),
        }
    }

    /// The life of the pod, as far as it was seen.
    #[must_use]
    pub fn life(&self) -> Option<(Timestamp, Timestamp)> {
        let from = self.from?;
        Some((from, self.looked_at.or(self.until)?.max(from)))
    }

    /// Every time at which something in the picture begins or ends.
    pub(super) fn times(&self) -> Vec<Timestamp> {
        let spans = self.containers.iter().flat_map(|lane| &lane.instances).flat_map(|span| [span.started, span.ended]);
        let drained = self.drain.as_ref().and_then(|drain| Some([drain.from?, drain.until()?]));
        let marks = self.instants.iter().map(|instant| instant.at);
        spans.flatten().chain(marks).chain(drained.into_iter().flatten()).chain(self.looked_at).collect()
    }
}

// === impl Span ===

impl Span {
    /// From where to where it is drawn. An end before its start is drawn as a point at its start.
    #[must_use]
    pub fn drawn(&self, looked_at: Option<Timestamp>) -> Option<(Timestamp, Timestamp)> {
        let runs_until = looked_at.filter(|_| self.outcome == Outcome::Runs);
        let started = self.started.or(self.ended)?;
        Some((started, self.ended.or(runs_until).unwrap_or(started).max(started)))
    }
}
