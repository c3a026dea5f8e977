//! Who makes the pod: a Job or a CronJob that makes none, and what the API server has answered to it.

use super::Case;

/// What an admission webhook, a policy, or a webhook that cannot be reached makes the API server say.
const WEBHOOK: [&str; 4] = ["admission webhook", "failed calling webhook", "failed to call webhook", "ValidatingAdmissionPolicy"];
const STANDARD: &str = "violates PodSecurity";
/// What is no more than a wait: the API server has other words for it each time.
const INVALID: &str = " is invalid: ";
const QUOTA: [&str; 5] = ["exceeded quota", "failed quota", "usage per Container", "usage per Pod", "ratio per"];

pub(super) fn quota(case: &Case<'_>) -> Option<String> {
    refused(case, |message| QUOTA.iter().any(|part| message.contains(part)))
}

pub(super) fn pod_security(case: &Case<'_>) -> Option<String> {
    refused(case, |message| message.contains(STANDARD))
}

pub(super) fn webhook_refuses(case: &Case<'_>) -> Option<String> {
    refused(case, |message| WEBHOOK.iter().any(|part| message.contains(part)))
}

pub(super) fn pod_invalid(case: &Case<'_>) -> Option<String> {
    refused(case, |message| message.contains(INVALID) && !WEBHOOK.iter().any(|part| message.contains(part)))
}

pub(super) fn suspended(case: &Case<'_>) -> Option<String> {
    let owner = case.around.owner.as_ref().filter(|owner| owner.is_suspended && !case.facts.is_created())?;
    Some(format!("spec.suspend of {} {} is true", owner.kind, owner.name))
}

pub(super) fn job_failed(case: &Case<'_>) -> Option<String> {
    let owner = case.around.owner.as_ref().filter(|_| !case.facts.is_created())?;
    let why = owner.failed.as_ref()?;
    let is_explained = [quota, pod_security, webhook_refuses, pod_invalid].iter().any(|other| other(case).is_some());
    (!is_explained).then(|| format!("{} {} has failed: {why}", owner.kind, owner.name))
}

/// The label of a Job or a CronJob reaches no pod. Something that adds the agent may add the label, too.
pub(super) fn label_on_the_job(case: &Case<'_>) -> Option<String> {
    let owner = case.around.owner.as_ref().filter(|owner| owner.has_label && !case.facts.is_created())?;
    let is_added = case.facts.annotation("exeunt.dev/skipped").is_some();
    let is_elsewhere = case.facts.label(crate::pod::names::DRAIN_LABEL).is_none_or(str::is_empty);
    (is_elsewhere && !is_added && !case.facts.agent.watches()).then(|| format!("it is on the {}", owner.kind))
}

fn refused(case: &Case<'_>, is_meant: impl Fn(&str) -> bool) -> Option<String> {
    let mut events = case.around.owner_events.iter().flatten();
    let event = events.find(|event| event.reason == "FailedCreate" && is_meant(&event.message))?;
    Some(format!("{}: {}", event.reason, event.message))
}
