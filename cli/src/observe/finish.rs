//! When a pod has finished, and what its end was like.

use core::time::Duration;

use jiff::Timestamp;

use super::owner;
use crate::pod::{Container, End, Facts, Part, ProxyForm, Verdict};

/// Whether a pod is counted at all: a batch pod with a proxy or an agent. `status` lists the same.
pub(super) fn concerns(facts: &Facts<'_>) -> bool {
    facts.is_batch() && !facts.uid.is_empty() && (facts.proxy != ProxyForm::None || facts.agent.is_there())
}

/// Whether a main container has run. A pod that was deleted or refused before that had no task.
pub(super) fn has_run(facts: &Facts<'_>) -> bool {
    facts.with(Part::Main).any(|container| container.is_running() || last_end(container).is_some())
}

/// Whether nothing of the pod runs, and nothing will. An ephemeral container with an agent can end after the pod: its verdict counts.
pub(super) fn has_finished(facts: &Facts<'_>) -> bool {
    let is_ending = facts.is_over() || facts.deleted().is_some();
    is_ending && has_run(facts) && !facts.containers.iter().any(|(container, _)| container.is_running())
}

/// When the last container ended. It is not after `now`: the clock of a node can be wrong.
pub(super) fn ended(facts: &Facts<'_>, now: Timestamp) -> Timestamp {
    let ends = facts.containers.iter().filter_map(|(container, _)| last_end(container)?.at);
    ends.max().unwrap_or(now).min(now)
}

/// From the end of the last main container to the end of the proxy. `None` if one of the two is not known, and if the proxy ended first.
/// Kubelet writes whole seconds.
pub(super) fn proxy_end(facts: &Facts<'_>) -> Option<Duration> {
    let proxy = facts.proxy_container()?.end()?.at?;
    Duration::try_from(proxy.duration_since(facts.task_ended()?)).ok()
}

/// The time that the verdict gives for the drain. A drain that is longer than the life of its pod is a lie, and would spoil the sum for
/// good.
pub(super) fn drain(facts: &Facts<'_>, verdict: &Verdict, ended: Timestamp) -> Option<Duration> {
    let drain = Duration::from_millis(verdict.drain_ms?);
    let life = Duration::try_from(ended.duration_since(owner::created(facts)?)).ok()?;
    // Both ends of the life are whole seconds.
    (drain <= life.saturating_add(Duration::from_secs(2))).then_some(drain)
}

fn last_end<'a>(container: &'a Container<'_>) -> Option<&'a End> {
    container.end().or(container.last.as_ref())
}
