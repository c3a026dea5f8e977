//! One function for each rule: what of a pod shows that it applies, or `None`.

use super::Case;
use crate::pod::{Container, Ending, Facts, Part, Placement, Plugin, ProxyForm, State, names};

type Evidence = fn(&Case<'_>) -> Option<String>;

/// The rules in the order of rules.yaml.
pub(super) const ALL: [(&str, Evidence); 20] = [
    ("agent-image-pull", agent_image_pull),
    ("agent-stripped", agent_stripped),
    ("host-network", host_network),
    ("ambient", ambient),
    ("quota", quota),
    ("finalizer", finalizer),
    ("proxy-exit-code", proxy_exit_code),
    ("on-failure-back-off", on_failure_back_off),
    ("wrong-container-name", wrong_container_name),
    ("no-shared-processes", no_shared_processes),
    ("native-others-run", native_others_run),
    ("never-ended", never_ended),
    ("status-port-zero", status_port_zero),
    ("interception-off", interception_off),
    ("unlabelled", unlabelled),
    ("plugin-elsewhere", plugin_elsewhere),
    ("plugin-not-matched", plugin_not_matched),
    ("plugin-index-digest", plugin_index_digest),
    ("plugin-not-fetched", plugin_not_fetched),
    ("no-agent", no_agent),
];

pub(super) fn of(id: &str, case: &Case<'_>) -> Option<String> {
    ALL.iter().find(|(known, _)| *known == id).and_then(|(_, evidence)| evidence(case))
}

fn agent_image_pull(case: &Case<'_>) -> Option<String> {
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

fn agent_stripped(case: &Case<'_>) -> Option<String> {
    let agent = case.facts.agent_container()?;
    (case.facts.agent.placement == Placement::Stripped)
        .then(|| format!("{} is in initContainers without restartPolicy", agent.name))
}

fn host_network(case: &Case<'_>) -> Option<String> {
    let concerns = case.facts.agent.is_there() && case.facts.proxy == ProxyForm::None;
    (concerns && case.facts.has_host_network()).then(|| "spec.hostNetwork is true, and the pod has no istio-proxy".to_owned())
}

fn ambient(case: &Case<'_>) -> Option<String> {
    (case.facts.proxy == ProxyForm::Ambient).then(|| format!("the annotation {} is enabled", names::AMBIENT))
}

fn quota(case: &Case<'_>) -> Option<String> {
    let refuses = |message: &str| {
        ["exceeded quota", "failed quota", "usage per Container", "usage per Pod"].iter().any(|part| message.contains(part))
    };
    let event =
        case.around.owner_events.iter().flatten().find(|event| event.reason == "FailedCreate" && refuses(&event.message))?;
    Some(format!("{}: {}", event.reason, event.message))
}

fn finalizer(case: &Case<'_>) -> Option<String> {
    case.facts.deleted()?;
    let finalizers = case.facts.pod.metadata.finalizers.as_deref().unwrap_or_default();
    let all_have_ended = case.facts.is_over() || case.facts.containers.iter().all(|(container, _)| container.end().is_some());
    (all_have_ended && !finalizers.is_empty()).then(|| format!("metadata.finalizers has {}", finalizers.join(", ")))
}

fn proxy_exit_code(case: &Case<'_>) -> Option<String> {
    let end = case.facts.proxy_container().filter(|_| case.facts.proxy == ProxyForm::Classic)?.end()?;
    let all_fine = || case.facts.with(Part::Main).all(|container| container.end().is_some_and(|end| end.exit_code == 0));
    let failed = case.facts.phase() == "Failed" && case.facts.has_task_ended_for_good() && all_fine() && end.exit_code != 0;
    failed.then(|| format!("istio-proxy has ended with exit code {} ({})", end.exit_code, end.reason))
}

fn on_failure_back_off(case: &Case<'_>) -> Option<String> {
    if !case.facts.is_batch() {
        return None;
    }
    let (container, ending) = main(case.facts).find(|(_, ending)| matches!(ending, Ending::Restarts(_)))?;
    let policy = container.restart_policy.unwrap_or(case.facts.restart_policy);
    Some(format!("{} {}: restartPolicy {policy}, {} restarts", container.name, ending.sentence(), container.restarts))
}

fn wrong_container_name(case: &Case<'_>) -> Option<String> {
    let wrong = case.facts.agent.option("container").into_iter().filter(|name| case.facts.container(name).is_none());
    let wrong = wrong.collect::<Vec<_>>();
    let there = case.facts.with(Part::Main).map(|container| container.name).collect::<Vec<_>>();
    (!wrong.is_empty()).then(|| format!("--container {}, but the pod has {}", wrong.join(", "), there.join(", ")))
}

fn no_shared_processes(case: &Case<'_>) -> Option<String> {
    let sees_only_itself =
        matches!(case.facts.agent.placement, Placement::Native | Placement::Regular) && !case.facts.shares_processes();
    (case.facts.proxy == ProxyForm::Classic && sees_only_itself && !case.facts.is_over() && case.facts.deleted().is_none())
        .then(|| "istio-proxy is a regular container, and spec.shareProcessNamespace is not true".to_owned())
}

fn native_others_run(case: &Case<'_>) -> Option<String> {
    (case.facts.proxy == ProxyForm::Native).then(|| one_still_runs(case.facts))?
}

fn never_ended(case: &Case<'_>) -> Option<String> {
    (case.facts.proxy != ProxyForm::Native).then(|| one_still_runs(case.facts))?
}

/// One of the regular containers has ended for good, and another one runs.
fn one_still_runs(facts: &Facts<'_>) -> Option<String> {
    if facts.deleted().is_some() || !facts.is_batch() {
        return None;
    }
    let ended = main(facts).find(|(_, ending)| ending.for_good().is_some())?.0;
    let running = facts.still_running().map(|container| container.name).collect::<Vec<_>>();
    (!running.is_empty()).then(|| format!("{} has ended for good, {} still runs", ended.name, running.join(", ")))
}

fn status_port_zero(case: &Case<'_>) -> Option<String> {
    let is_zero = case.facts.proxy == ProxyForm::Classic && case.facts.annotation(names::STATUS_PORT) == Some("0");
    (is_zero && !case.facts.is_over()).then(|| format!("the annotation {} is \"0\"", names::STATUS_PORT))
}

fn interception_off(case: &Case<'_>) -> Option<String> {
    let concerns = matches!(case.facts.proxy, ProxyForm::Classic | ProxyForm::Native);
    (concerns && case.facts.annotation(names::INTERCEPTION) == Some("NONE"))
        .then(|| format!("the annotation {} is NONE", names::INTERCEPTION))
}

fn unlabelled(case: &Case<'_>) -> Option<String> {
    let plugin = here(case).find(|plugin| !plugin.match_labels.is_empty())?;
    let concerns = case.facts.agent.is_there() && case.facts.proxy_container().is_some() && !case.facts.has_label();
    concerns.then(|| format!("the plugin {} of namespace {} selects {}=on", plugin.name, plugin.namespace, names::DRAIN_LABEL))
}

fn plugin_elsewhere(case: &Case<'_>) -> Option<String> {
    let plugins = case.around.plugins.as_ref()?;
    let concerns = case.facts.has_label() && case.facts.proxy_container().is_some() && here(case).next().is_none();
    let other = plugins.first()?;
    concerns
        .then(|| format!("the plugin {} is in namespace {}, the pod in {}", other.name, other.namespace, case.facts.namespace))
}

fn plugin_not_matched(case: &Case<'_>) -> Option<String> {
    let listener = case.facts.listener()?.parse::<u16>().ok()?;
    let matches = |plugin: &Plugin| plugin.ports.is_empty() || plugin.ports.contains(&listener);
    let mut plugins = here(case).filter(|plugin| plugin.selects(case.facts.pod.metadata.labels.as_ref())).peekable();
    let first = (*plugins.peek()?).clone();
    let ports = first.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    (!plugins.any(matches))
        .then(|| format!("the plugin {} matches port {ports}, the signal listener has port {listener}", first.name))
}

fn plugin_index_digest(case: &Case<'_>) -> Option<String> {
    fetch_errors(case).find(|line| is_of_index(line)).map(str::to_owned)
}

fn plugin_not_fetched(case: &Case<'_>) -> Option<String> {
    let mut errors = fetch_errors(case).peekable();
    let first = (*errors.peek()?).to_owned();
    (!errors.any(is_of_index)).then_some(first)
}

fn no_agent(case: &Case<'_>) -> Option<String> {
    let proxy = case.facts.proxy_container().filter(|proxy| proxy.is_running() && case.facts.proxy == ProxyForm::Classic)?;
    let is_alone = case.facts.still_running().next().is_none();
    let concerns = !case.facts.agent.is_there() && case.facts.deleted().is_none() && case.facts.is_batch();
    let (container, ending) = main(case.facts).last().filter(|_| case.facts.has_task_ended_for_good())?;
    (concerns && is_alone).then(|| format!("{} {}, {} still runs", container.name, ending.sentence(), proxy.name))
}

// === what several rules ask ===

fn main<'a>(facts: &'a Facts<'_>) -> impl Iterator<Item = (&'a Container<'a>, Ending)> {
    facts.with(Part::Main).map(|container| (container, facts.ending(container)))
}

/// The plugins that are there for the namespace of the pod.
fn here<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Plugin> {
    let root = case.around.root_namespace.as_deref().unwrap_or("istio-system");
    let namespace = case.facts.namespace;
    case.around.plugins.iter().flatten().filter(move |plugin| plugin.namespace == namespace || plugin.namespace == root)
}

/// The lines of the proxy's log that say that a module was not fetched.
fn fetch_errors<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a str> {
    let is_error = |line: &&str| {
        ["failed to fetch", "fetch failed", "fail to fetch", "cannot fetch", "could not fetch", "does not match"]
            .iter()
            .any(|part| line.contains(part))
    };
    case.around.proxy_log.iter().flatten().map(String::as_str).filter(is_error)
}

fn is_of_index(line: &str) -> bool {
    line.contains("does not match") || line.contains("no child with platform")
}
