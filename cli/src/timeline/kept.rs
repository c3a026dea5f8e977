//! What has kept the pod after the end of its task.

use jiff::Timestamp;
use serde::Serialize;

use super::lanes::known;
use super::model::{Lane, Outcome};
use crate::pod::{Facts, Kind};

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

pub(super) fn of(facts: &Facts<'_>, lanes: &[Lane], looked_at: Timestamp) -> Option<Kept> {
    let from = known(facts.task_ended())?;
    let others = lanes.iter().filter(|lane| lane.keeps);
    let is_sidecar = |lane: &Lane| facts.container(&lane.container).is_some_and(|container| container.kind == Kind::Sidecar);
    let running = others.clone().filter(|lane| lane.instances.last().is_some_and(|span| span.outcome == Outcome::Runs));
    let running = running.collect::<Vec<_>>();
    let name = |lane: &Lane| lane.container.clone();
    // Kubelet ends native sidecars itself, after the regular containers: those keep the pod.
    let mut by = running.iter().filter(|lane| !is_sidecar(lane)).map(|lane| name(lane)).collect::<Vec<_>>();
    if by.is_empty() {
        by = running.iter().map(|lane| name(lane)).collect();
    }
    let goes_on = !by.is_empty();
    let end = |lane: &Lane| lane.instances.last().and_then(|span| span.ended);
    let end_of_all = if goes_on { looked_at } else { others.clone().filter_map(end).max()? };
    if !goes_on {
        by = others.filter(|lane| end(lane) == Some(end_of_all)).map(name).collect();
    }
    let seconds = end_of_all.duration_since(from).as_secs();
    // Times are cut off to the second: a difference of one second may be a millisecond.
    (seconds > 1).then_some(Kept { by, from, until: end_of_all, goes_on, seconds })
}
