//! The labels and annotations of exeunt on the pod.

use std::net::SocketAddr;

use super::{Case, told};
use crate::pod::{ProxyForm, names};

/// What stands in front of each of exeunt's names.
const PREFIX: &str = "exeunt.dev/";

/// A plugin of somebody's own may select another value.
pub(super) fn label_value(case: &Case<'_>) -> Option<String> {
    let value = case.facts.label(names::DRAIN_LABEL)?;
    let mut others = case.around.plugins.iter().flatten().filter_map(|plugin| plugin.match_labels.get(names::DRAIN_LABEL));
    let is_selected = ["", "on", "off"].contains(&value) || others.any(|selected| selected == value);
    (!is_selected).then(|| format!("the label {} is \"{value}\"", names::DRAIN_LABEL))
}

/// A label of another value may be somebody's own.
pub(super) fn unknown_name(case: &Case<'_>) -> Option<String> {
    let metadata = &case.facts.pod.metadata;
    let annotations = metadata.annotations.iter().flatten().map(|(name, _)| name.as_str());
    let annotations = annotations.filter(|name| name.starts_with(PREFIX) && !names::ANNOTATIONS.contains(name));
    let labels = metadata.labels.iter().flatten().filter(|(_, value)| ["on", "off"].contains(&value.as_str()));
    let labels = labels
        .map(|(name, _)| name.as_str())
        .filter(|name| name.starts_with(PREFIX) && ![names::DRAIN_LABEL, names::REAP_LABEL].contains(name));
    let unknown = annotations.map(|name| format!("the annotation {name}")).chain(labels.map(|name| format!("the label {name}")));
    let unknown = unknown.collect::<Vec<_>>();
    (!unknown.is_empty()).then(|| unknown.join(", "))
}

pub(super) fn annotation_value(case: &Case<'_>) -> Option<String> {
    let requests = told::entries(case, "exeunt.dev/quit-endpoints").filter(|entry| !is_request(entry));
    let signals = told::entries(case, "exeunt.dev/quit-signals").filter(|entry| !is_signal(entry));
    let wrong = requests.chain(signals).collect::<Vec<_>>();
    (!wrong.is_empty()).then(|| wrong.join(", "))
}

/// Something may still add the agent to a template, and the task may call the agent or the filter itself. Of a task that has ended
/// `no-agent` says more.
pub(super) fn label_without_agent(case: &Case<'_>) -> Option<String> {
    let port = names::SIGNAL_PORT.to_string();
    let mentions = |text: &&str| text.contains(names::AGENT) || text.contains(&port);
    let is_called = case.facts.containers.iter().any(|(container, _)| {
        mentions(&container.image)
            || container.words.iter().any(mentions)
            || container.variable(names::LISTENER_VARIABLE).is_some()
    });
    let concerns = case.facts.is_created() && case.facts.has_label() && case.facts.proxy == ProxyForm::Classic;
    let is_alone = !case.facts.agent.is_there() && !is_called && case.facts.annotation("exeunt.dev/skipped").is_none();
    let is_needed = !case.facts.has_task_ended_for_good() && case.facts.deleted().is_none();
    (concerns && is_alone && is_needed).then(|| format!("no container {}", names::AGENT))
}

/// Whether the agent can read it: `[NAME=][METHOD ]http://LOOPBACK[:PORT][/PATH]`.
fn is_request(entry: &str) -> bool {
    let is_named = told::before_url(entry).contains('=');
    let (name, request) =
        entry.split_once('=').filter(|_| is_named).map_or((None, entry), |(name, rest)| (Some(name.trim()), rest));
    let (method, url) = request.trim().split_once(' ').unwrap_or(("POST", request.trim()));
    let Some(address) = url.trim().strip_prefix("http://") else { return false };
    let (host, path) = address.split_at(address.find(['/', '?']).unwrap_or(address.len()));
    let is_printable = path.bytes().all(|byte| byte.is_ascii_graphic());
    name.is_none_or(told::is_name) && ["POST", "GET", "PUT"].contains(&method) && is_loopback(host) && is_printable
}

fn is_loopback(host: &str) -> bool {
    let port = host.strip_prefix("localhost").filter(|port| port.is_empty() || port.starts_with(':'));
    let host = port.map_or_else(|| host.to_owned(), |port| format!("127.0.0.1{port}"));
    let at = host.parse::<SocketAddr>().or_else(|_| format!("{host}:80").parse());
    at.is_ok_and(|at| at.ip().is_loopback() && at.port() > 0)
}

/// Whether the agent can read it: `NAME=SIGNAL`.
fn is_signal(entry: &str) -> bool {
    entry.split_once('=').is_some_and(|(name, signal)| {
        let signal = signal.trim();
        told::is_name(name.trim())
            && ["TERM", "INT", "QUIT", "HUP", "USR1", "USR2", "KILL"].contains(&signal.strip_prefix("SIG").unwrap_or(signal))
    })
}
