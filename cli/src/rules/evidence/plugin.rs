//! The plugin: whether it is for the pod, and whether istio-proxy has its module.

use super::Case;
use crate::pod::{Container, Module, Plugin, names};

pub(super) fn unlabelled(case: &Case<'_>) -> Option<String> {
    let plugin = here(case).find(|plugin| !plugin.match_labels.is_empty())?;
    let is_unlabelled = case.facts.label(names::DRAIN_LABEL).is_none_or(str::is_empty);
    let concerns = case.facts.agent.is_there() && case.facts.proxy_container().is_some() && is_unlabelled;
    concerns.then(|| format!("the plugin {} of namespace {} selects {}=on", plugin.name, plugin.namespace, names::DRAIN_LABEL))
}

pub(super) fn plugin_elsewhere(case: &Case<'_>) -> Option<String> {
    let plugins = case.around.plugins.as_ref()?;
    let concerns = case.facts.has_label() && case.facts.proxy_container().is_some() && here(case).next().is_none();
    let other = plugins.first()?;
    concerns
        .then(|| format!("the plugin {} is in namespace {}, the pod in {}", other.name, other.namespace, case.facts.namespace))
}

pub(super) fn plugin_not_matched(case: &Case<'_>) -> Option<String> {
    let listener = case.facts.listener()?.parse::<u16>().ok()?;
    let matches = |plugin: &Plugin| plugin.ports.is_empty() || plugin.ports.contains(&listener);
    let mut plugins = here(case).filter(|plugin| plugin.selects(case.facts.pod.metadata.labels.as_ref())).peekable();
    let first = (*plugins.peek()?).clone();
    let ports = first.ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    (!plugins.any(matches))
        .then(|| format!("the plugin {} matches port {ports}, the signal listener has port {listener}", first.name))
}

pub(super) fn plugin_index_digest(case: &Case<'_>) -> Option<String> {
    fetch_errors(case).find(|line| is_of_index(line)).map(str::to_owned)
}

pub(super) fn plugin_not_fetched(case: &Case<'_>) -> Option<String> {
    let mut errors = fetch_errors(case).peekable();
    let first = (*errors.peek()?).to_owned();
    (!errors.any(is_of_index)).then_some(first)
}

/// The mistakes that other rules tell leave no module, either.
pub(super) fn plugin_not_loaded(case: &Case<'_>) -> Option<String> {
    let module = case.around.module.as_ref().filter(|module| **module != Module::Runs)?;
    let labels = case.facts.pod.metadata.labels.as_ref();
    let plugin = here(case).find(|plugin| plugin.selects(labels))?;
    let others = [plugin_not_matched, plugin_index_digest, plugin_not_fetched];
    let is_alone = others.iter().all(|other| other(case).is_none());
    let runs = case.facts.proxy_container().is_some_and(Container::is_running);
    (is_alone && runs).then(|| format!("the plugin {} selects the pod; {}", plugin.name, module.sentence()))
}

fn here<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a Plugin> {
    case.around.plugins_for(case.facts.namespace)
}

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
