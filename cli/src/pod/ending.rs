//! Whether a container has ended for good, as kubelet decides it: by the restart rules of the container, its restart policy, that of the
//! pod, its exit code, and whether the pod is being deleted.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ContainerRestartRule;

use super::container::{Container, End, Kind, State};

/// How far a container is from its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has never run.
    NotStarted,
    /// It runs.
    Running {
        /// Since then.
        since: Option<Timestamp>,
    },
    /// It has ended, and kubelet starts it again.
    Restarts(End),
    /// It has ended, and nothing starts it again.
    ForGood(End),
}

/// What of the pod decides whether its containers are started again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pod<'a> {
    /// Its restart policy. Kubernetes sets `Always` if nobody does.
    pub(super) restart_policy: &'a str,
    /// Whether it is being deleted: then kubelet starts nothing again.
    pub(super) is_deleted: bool,
    /// Whether its phase is `Succeeded` or `Failed`.
    pub(super) is_over: bool,
}

// === impl Ending ===

impl Ending {
    pub(super) fn of(container: &Container<'_>, pod: Pod<'_>) -> Self {
        let nothing_starts = pod.is_deleted || pod.is_over;
        match &container.state {
            State::Running { since } => Self::Running { since: *since },
            State::Ended(end) if nothing_starts || !is_started_again(container, pod, end.exit_code) => Self::ForGood(end.clone()),
            State::Ended(end) => Self::Restarts(end.clone()),
            State::Waiting { .. } => match &container.last {
                Some(end) if nothing_starts => Self::ForGood(end.clone()),
                Some(end) => Self::Restarts(end.clone()),
                None => Self::NotStarted,
            },
        }
    }

    /// How it ended, if nothing starts it again.
    #[must_use]
    pub fn for_good(&self) -> Option<&End> {
        match self {
            Self::ForGood(end) => Some(end),
            Self::NotStarted | Self::Running { .. } | Self::Restarts(_) => None,
        }
    }

    /// A sentence for a person.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::NotStarted => "has not started".to_owned(),
            Self::Running { .. } => "still runs".to_owned(),
            Self::Restarts(end) => format!("has ended with exit code {}, and kubelet starts it again", end.exit_code),
            Self::ForGood(end) => format!("has ended for good with exit code {}", end.exit_code),
        }
    }
}

fn is_started_again(container: &Container<'_>, pod: Pod<'_>, exit_code: i32) -> bool {
    if container.kind == Kind::Ephemeral {
        return false;
    }
    // The first rule that matches decides; both actions start the container again. An action or an operator that is not known counts as a
    // restart: the worst mistake is to take a task for ended.
    if container.restart_rules.iter().any(|rule| matches(rule, exit_code)) {
        return true;
    }
    match container.restart_policy.unwrap_or(pod.restart_policy) {
        "Never" => false,
        "OnFailure" => exit_code != 0,
        _ => true,
    }
}

fn matches(rule: &ContainerRestartRule, exit_code: i32) -> bool {
    let Some(codes) = &rule.exit_codes else { return true };
    let is_listed = codes.values.iter().flatten().any(|code| *code == exit_code);
    match codes.operator.as_str() {
        "In" => is_listed,
        "NotIn" => !is_listed,
        _ => true,
    }
}
