//! What has happened, in order: what the pod's own fields say, its Events, and lines of logs.

use jiff::{SignedDuration, Timestamp};

use super::lanes::known;
use super::model::{Instant, Resolution, Source};
use crate::pod::{Facts, History, Part, State, Verdict};

pub(super) fn of(facts: &Facts<'_>, history: Option<&History>) -> Vec<Instant> {
    let mut instants = of_the_pod(facts);
    for event in history.and_then(|history| history.events.as_deref()).unwrap_or_default() {
        let times = if event.count > 1 { format!(" ({} times, this is the last)", event.count) } else { String::new() };
        let of = event.container.as_ref().map(|container| format!("{container}: ")).unwrap_or_default();
        let mark = if event.is_warning { "warning: " } else { "" };
        instants.push(Instant {
            at: event.at,
            resolution: if event.is_exact { Resolution::Millisecond } else { Resolution::Second },
            source: Source::Event,
            text: format!("{mark}{of}{}: {}{times}", event.reason, event.message),
            is_marked: false,
        });
    }
    for line in history.and_then(|history| history.log.as_deref()).unwrap_or_default() {
        let is_verdict = line.text.starts_with('{') && Verdict::read(&line.text).is_some();
        let text = if is_verdict { "the verdict" } else { plain(&line.text) };
        instants.push(Instant {
            at: line.at,
            resolution: Resolution::Millisecond,
            source: Source::Log,
            text: format!("{}: {text}", line.container),
            is_marked: false,
        });
    }
    instants.retain(|instant| known(Some(instant.at)).is_some());
    // A time that is cut off to the second sorts before those within that second. The order of what has the same time stays.
    instants.sort_by_key(|instant| instant.at);
    instants
}

/// A line of a log without what is said beside it: its own time, and who has written it.
fn plain(text: &str) -> &str {
    let after_time = text.split_once(['\t', ' ']).filter(|(first, _)| first.parse::<Timestamp>().is_ok()).map(|(_, rest)| rest);
    let text = after_time.unwrap_or(text);
    text.strip_prefix("exeunt-agent: ").unwrap_or(text)
}

fn of_the_pod(facts: &Facts<'_>) -> Vec<Instant> {
    let mut instants = Vec::new();
    let mut add = |at: Option<Timestamp>, text: String| {
        let instant = |at| Instant { at, resolution: Resolution::Second, source: Source::Pod, text, is_marked: true };
        instants.extend(known(at).map(instant));
    };
    let metadata = &facts.pod.metadata;
    add(metadata.creation_timestamp.as_ref().map(|time| time.0), "created".to_owned());
    let since = |name: &str| {
        let conditions = facts.pod.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
        let condition = conditions.iter().find(|condition| condition.type_ == name && condition.status == "True")?;
        condition.last_transition_time.as_ref().map(|time| time.0)
    };
    add(since("PodScheduled"), "a node is chosen".to_owned());
    let started = facts.pod.status.as_ref().and_then(|status| status.start_time.as_ref()).map(|time| time.0);
    add(started, "kubelet takes the pod".to_owned());
    add(since("PodReadyToStartContainers"), "network and volumes are there".to_owned());
    add(since("Initialized"), "the init containers are done".to_owned());
    add(since("Ready"), "ready".to_owned());
    for container in facts.with(Part::Main) {
        let ends = container.last.iter().map(|end| (end, true)).chain(container.end().map(|end| (end, false)));
        for (end, is_earlier) in ends {
            let again = if is_earlier || facts.ending(container).for_good().is_none() { ", and starts again" } else { "" };
            add(end.at, format!("{} ends with exit code {}{again}", container.name, end.exit_code));
        }
    }
    if let Some(proxy) = facts.proxy_container() {
        let end = match &proxy.state {
            State::Ended(end) => Some(end),
            State::Waiting { .. } | State::Running { .. } => None,
        };
        add(end.and_then(|end| end.at), format!("{} ends with exit code {}", proxy.name, end.map_or(0, |end| end.exit_code)));
    }
    // The API server writes when the grace period ends, and how long it is.
    let grace = metadata.deletion_grace_period_seconds.unwrap_or_default().max(0);
    let over = facts.deleted();
    let asked = over.and_then(|over| over.checked_sub(SignedDuration::from_secs(grace)).ok());
    add(asked, format!("deletion asked for, with a grace period of {grace} s"));
    if grace > 0 {
        add(over, "the grace period ends".to_owned());
    }
    instants
}
