//! What a picture shows. A program gets the same as JSON.

use jiff::Timestamp;
use serde::Serialize;

use super::{drain, instants, kept, lanes, notes};
use crate::pod::{Facts, Part, Surroundings};

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
    /// The word for the state that it is in.
    pub state: &'static str,
    /// The same as a sentence.
    #[serde(skip)]
    pub sentence: &'static str,
    /// The first instant. `None`: no time is known.
    pub from: Option<Timestamp>,
    /// The last instant.
    pub until: Option<Timestamp>,
    /// Whether the pod has not ended, or waits for its deletion: then `until` is when it was looked at.
    pub goes_on: bool,
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

/// What has kept the pod after the end of its task.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kept {
    /// The containers that did.
    pub by: Vec<String>,
    /// The end of the task, to the second.
    pub from: Timestamp,
    /// The end of the last container, to the second, or when the pod was looked at.
    pub until: Timestamp,
    /// Whether they still do.
    pub goes_on: bool,
    /// From one to the other.
    pub seconds: i64,
}

/// The drain.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// The container that has written the verdict.
    pub container: String,
    /// Where it is drawn. `None`: the end of the task is not known.
    pub from: Option<Timestamp>,
    /// How `from` is known.
    pub placed_by: PlacedBy,
    /// What became of the proxy.
    pub proxy: String,
    /// The route that worked.
    pub route: Option<String>,
    /// From the end of the task to the end of the proxy.
    pub drain_ms: Option<u64>,
    /// The part of it for access logs, spans and metrics.
    pub telemetry_ms: Option<u64>,
    /// From there until the kernel had sent the last bytes.
    pub linger_ms: Option<u64>,
    /// What was cut off. `None`: the agent did nothing.
    pub undelivered: Option<Lost>,
    /// The limit that has cut it off.
    pub limit: Option<String>,
    /// Why the agent did nothing.
    pub refused: Option<String>,
}

/// What was cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lost {
    /// How many connections.
    pub connections: u64,
    /// How many bytes.
    pub bytes: u64,
    /// Whether it may be more.
    pub at_least: bool,
}

/// How the place of the drain is known. Its length is exact; the verdict has no time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlacedBy {
    /// By the line of the log that holds the verdict.
    Log,
    /// By the end of the task, to the second.
    TaskEnd,
    /// By the start of the agent, to the second: `kubectl exeunt end` has added it after the end of the task.
    AgentStart,
    /// Not at all.
    Nothing,
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
        let standing = facts.standing(now);
        let containers = lanes::of(facts);
        let drain = drain::of(facts, around.history.as_ref());
        let instants = instants::of(facts, around.history.as_ref());
        let ends = containers.iter().flat_map(|lane| &lane.instances).flat_map(|span| [span.started, span.ended]);
        let drained = drain.as_ref().and_then(|drain| Some([drain.from?, drain.until()?]));
        let known = ends.flatten().chain(instants.iter().map(|instant| instant.at)).chain(drained.into_iter().flatten());
        let known = known.collect::<Vec<_>>();
        // A finalizer keeps a pod that has ended.
        let goes_on = !known.is_empty() && (!facts.is_over() || facts.deleted().is_some());
        let from = known.iter().min().copied();
        let until = known.iter().copied().chain(goes_on.then_some(now)).max();
        let kept = until.and_then(|until| kept::of(facts, &containers, until));
        let notes = notes::of(facts, around.history.as_ref(), &containers, drain.as_ref());
        Self {
            namespace: facts.namespace.to_owned(),
            pod: facts.name.to_owned(),
            uid: facts.uid.to_owned(),
            state: standing.word(),
            sentence: standing.sentence(),
            from,
            until,
            goes_on,
            containers,
            kept,
            drain,
            instants,
            notes,
            unknown: around.history.as_ref().map(|history| history.unknown.clone()).unwrap_or_default(),
        }
    }

    /// Both ends of the picture, if any time is known.
    #[must_use]
    pub fn ends(&self) -> Option<(Timestamp, Timestamp)> {
        self.from.zip(self.until)
    }

    /// Every time at which something in the picture begins or ends.
    pub(super) fn times(&self) -> Vec<Timestamp> {
        let spans = self.containers.iter().flat_map(|lane| &lane.instances).flat_map(|span| [span.started, span.ended]);
        let drained = self.drain.as_ref().and_then(|drain| Some([drain.from?, drain.until()?]));
        let marks = self.instants.iter().map(|instant| instant.at);
        spans.flatten().chain(marks).chain(drained.into_iter().flatten()).chain(self.from).chain(self.until).collect()
    }
}

// === impl Span ===

impl Span {
    /// From where to where it is drawn. An end before its start is drawn as a point at its start.
    #[must_use]
    pub fn drawn(&self, until: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let runs_until = (self.outcome == Outcome::Runs).then_some(until);
        let started = self.started.or(self.ended)?;
        Some((started, self.ended.or(runs_until).unwrap_or(started).max(started)))
    }
}

// === impl Drain ===

impl Drain {
    /// How long it took, with the last bytes of the kernel.
    #[must_use]
    pub fn milliseconds(&self) -> Option<u64> {
        Some(self.drain_ms?.saturating_add(self.linger_ms.unwrap_or_default()))
    }

    /// When it ended, where it is drawn.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        let length = jiff::SignedDuration::from_millis(i64::try_from(self.milliseconds().unwrap_or_default()).ok()?);
        self.from?.checked_add(length).ok()
    }
}
