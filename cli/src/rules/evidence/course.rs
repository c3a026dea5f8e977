//! What has happened to a pod: what kubelet says of its containers, and what its owner has heard.

use super::Case;
use crate::pod::{Container, Ending, Facts, Part, ProxyForm, State};

pub(super) fn agent_image_pull(case: &Case<'_>) -> Option<String> {
    const REASONS: [&str; 5] =
        ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"];
    let agent = case.facts.agent_container()?;
    match &agent.state {
        State::Waiting { reason, message } if REASONS.contains(&reason.as_str()) => {
            Some(format!("{} waits: {reason}, {}: {message}", agent.name, agent.image))
        }
        State::Waiting { .. } | State::Running { .. } | State::Ended(_) => None,
    }
}

pub(super) fn finalizer(case: &Case<'_>) -> Option<String> {
    case.facts.deleted()?;
    let finalizers = case.facts.pod.metadata.finalizers.as_deref().unwrap_or_default();
    let all_have_ended = case.facts.is_over() || case.facts.containers.iter().all(|(container, _)| container.end().is_some());
    (all_have_ended && !finalizers.is_empty()).then(|| format!("metadata.finalizers has {}", finalizers.join(", ")))
}

pub(super) fn proxy_exit_code(case: &Case<'_>) -> Option<String> {
    let end = case.facts.proxy_container().filter(|_| case.facts.proxy == ProxyForm::Classic)?.end()?;
    let all_fine = || case.facts.with(Part::Main).all(|container| container.end().is_some_and(|end| end.exit_code == 0));
    let failed = case.facts.phase() == "Failed" && case.facts.has_task_ended_for_good() && all_fine() && end.exit_code != 0;
    failed.then(|| format!("istio-proxy has ended with exit code {} ({})", end.exit_code, end.reason))
}

pub(super) fn on_failure_back_off(case: &Case<'_>) -> Option<String> {
    if !case.facts.is_batch() {
        return None;
    }
    let (container, ending) = main(case.facts).find(|(_, ending)| matches!(ending, Ending::Restarts(_)))?;
    let policy = container.restart_policy.unwrap_or(case.facts.restart_policy);
    Some(format!("{} {}: restartPolicy {policy}, {} restarts", container.name, ending.sentence(), container.restarts))
}

pub(super) fn native_others_run(case: &Case<'_>) -> Option<String> {
    (case.facts.proxy == ProxyForm::Native).then(|| one_still_runs(case.facts))?
}

pub(super) fn never_ended(case: &Case<'_>) -> Option<String> {
    (case.facts.proxy != ProxyForm::Native).then(|| one_still_runs(case.facts))?
}

fn one_still_runs(facts: &Facts<'_>) -> Option<String> {
    if facts.deleted().is_some() || !facts.is_batch() {
        return None;
    }
    let ended = main(facts).find(|(_, ending)| ending.for_good().is_some())?.0;
    let running = facts.still_running().map(|container| container.name).collect::<Vec<_>>();
    (!running.is_empty()).then(|| format!("{} has ended for good, {} still runs", ended.name, running.join(", ")))
}

pub(super) fn no_agent(case: &Case<'_>) -> Option<String> {
    let proxy = case.facts.proxy_container().filter(|proxy| proxy.is_running() && case.facts.proxy == ProxyForm::Classic)?;
    let is_alone = case.facts.still_running().next().is_none();
    let concerns = !case.facts.agent.is_there() && case.facts.deleted().is_none() && case.facts.is_batch();
    let (container, ending) = main(case.facts).last().filter(|_| case.facts.has_task_ended_for_good())?;
    (concerns && is_alone).then(|| format!("{} {}, {} still runs", container.name, ending.sentence(), proxy.name))
}

fn main<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (&'a Container<'a>, Ending)> {
    facts.with(Part::Main).map(|container| (container, facts.ending(container)))
}
