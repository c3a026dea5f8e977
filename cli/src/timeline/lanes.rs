//! A lane for each container, with the instances whose times the pod's status has: the latest one, and the one before.

use jiff::Timestamp;

use super::model::{Lane, Outcome, Span};
use crate::pod::{Container, End, Facts, Kind, Part, State, names};

/// Where a time is not known, some programs write year 1 or 1970.
const FIRST_YEAR: i16 = 1971;

pub(super) fn of(facts: &Facts<'_>) -> Vec<Lane> {
    facts.containers.iter().map(|(container, part)| lane(container, *part)).collect()
}

/// The time, if it is one.
pub(super) fn known(time: Option<Timestamp>) -> Option<Timestamp> {
    time.filter(|time| time.to_zoned(jiff::tz::TimeZone::UTC).year() >= FIRST_YEAR)
}

fn lane(container: &Container<'_>, part: Part) -> Lane {
    let mut instances = Vec::new();
    instances.extend(container.last.as_ref().map(ended));
    match &container.state {
        State::Running { since } => {
            instances.push(Span { started: known(*since), ended: None, outcome: Outcome::Runs, exit_code: None });
        }
        State::Ended(end) => instances.push(ended(end)),
        State::Waiting { .. } => {}
    }
    let is_sidecar = container.kind == Kind::Sidecar;
    let is_rescue = container.kind == Kind::Ephemeral && container.name.starts_with(names::RESCUE);
    Lane {
        container: container.name.to_owned(),
        role: if is_rescue { "rescue" } else { role(container.kind, part) },
        // `kubectl exeunt end` runs the agent.
        part: if is_rescue { Part::Agent } else { part },
        keeps: part != Part::Main && (container.kind == Kind::Regular || is_sidecar),
        state: state(container),
        restarts: container.restarts,
        instances,
    }
}

fn ended(end: &End) -> Span {
    let outcome = if end.exit_code == 0 { Outcome::Succeeded } else { Outcome::Failed };
    Span { started: known(end.started), ended: known(end.at), outcome, exit_code: Some(end.exit_code) }
}

fn role(kind: Kind, part: Part) -> &'static str {
    match (part, kind) {
        (Part::Main, _) => "main",
        (Part::Helper, _) => "helper",
        (Part::Proxy, _) => "proxy",
        (Part::Agent, _) => "agent",
        (Part::Other, Kind::Sidecar) => "sidecar",
        (Part::Other, Kind::Ephemeral) => "ephemeral",
        (Part::Other, Kind::Init | Kind::Regular) => "init",
    }
}

fn state(container: &Container<'_>) -> String {
    match &container.state {
        State::Waiting { reason, .. } if reason.is_empty() => "not started".to_owned(),
        State::Waiting { reason, .. } => reason.clone(),
        State::Running { .. } => "runs".to_owned(),
        State::Ended(end) if matches!(end.reason.as_str(), "" | "Completed" | "Error") => format!("exit {}", end.exit_code),
        State::Ended(end) => format!("exit {} {}", end.exit_code, end.reason),
    }
}
