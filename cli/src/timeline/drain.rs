//! The drain, by the verdict. Its length is exact; where it lies must be found.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::lanes::known;
use crate::pod::{Container, End, Facts, HelperEnd, History, Kind, Verdict};

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
    /// The containers beside the task that the agent asked to end, or waited for.
    pub helpers: Vec<HelperEnd>,
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

// === impl Drain ===

impl Drain {
    /// Whether bytes are undelivered.
    #[must_use]
    pub fn has_lost(&self) -> bool {
        self.undelivered.is_some_and(|lost| lost.bytes > 0)
    }

    /// How long it took, with the last bytes of the kernel.
    #[must_use]
    pub fn milliseconds(&self) -> Option<u64> {
        Some(self.drain_ms?.saturating_add(self.linger_ms.unwrap_or_default()))
    }

    /// When it ended, where it is drawn.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        let length = SignedDuration::from_millis(i64::try_from(self.milliseconds().unwrap_or_default()).ok()?);
        self.from?.checked_add(length).ok()
    }
}

pub(super) fn of(facts: &Facts<'_>, history: Option<&History>) -> Option<Drain> {
    let (container, end, verdict) = facts.verdict_with_author()?;
    let length = i64::try_from(verdict.drain_ms.unwrap_or(0).saturating_add(verdict.linger_ms.unwrap_or(0))).ok();
    let (from, placed_by) = place(facts, history, container, end, length.map(SignedDuration::from_millis));
    Some(Drain {
        container: container.name.to_owned(),
        from,
        placed_by,
        proxy: verdict.proxy,
        route: verdict.route,
        drain_ms: verdict.drain_ms,
        telemetry_ms: verdict.telemetry_ms,
        linger_ms: verdict.linger_ms,
        undelivered: verdict.undelivered.map(|lost| Lost {
            connections: lost.connections,
            bytes: lost.bytes,
            at_least: lost.at_least,
        }),
        limit: verdict.limit,
        refused: verdict.refused.into_iter().next().map(|refusal| refusal.reason),
        helpers: verdict.helpers,
    })
}

/// The agent writes its verdict last, so the log tells the end of the drain. Without the log the end of the task tells its begin, and if
/// the agent came after that, its own start.
fn place(
    facts: &Facts<'_>,
    history: Option<&History>,
    container: &Container<'_>,
    end: &End,
    length: Option<SignedDuration>,
) -> (Option<Timestamp>, PlacedBy) {
    let lines = history.and_then(|history| history.log.as_deref()).unwrap_or_default();
    let is_verdict = |text: &str| text.starts_with('{') && Verdict::read(text).is_some();
    let written = lines.iter().rev().find(|line| line.container == container.name && is_verdict(&line.text));
    // An instance that has been started again may have written another verdict.
    let written = written.filter(|line| known(end.started).is_none_or(|started| started <= line.at));
    if let Some(from) = written.and_then(|line| line.at.checked_sub(length?).ok()) {
        return (Some(from), PlacedBy::Log);
    }
    if container.kind == Kind::Ephemeral {
        let started = known(end.started);
        return (started, started.map_or(PlacedBy::Nothing, |_| PlacedBy::AgentStart));
    }
    let ended = known(facts.task_ended());
    (ended, ended.map_or(PlacedBy::Nothing, |_| PlacedBy::TaskEnd))
}
