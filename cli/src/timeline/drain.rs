//! The drain, by the verdict. Its length is exact; where it lies must be found.

use jiff::{SignedDuration, Timestamp};

use super::lanes::known;
use super::model::{Drain, Lost, PlacedBy};
use crate::pod::{Container, End, Facts, History, Kind, Verdict};

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
