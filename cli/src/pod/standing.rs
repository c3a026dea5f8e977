//! What state a pod is in, with a sentence for each.

use core::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::ending::Ending;
use super::facts::{Facts, Part};
use super::proxy::ProxyForm;

/// How long a pod without an agent that runs may need for its end before it counts as stuck: the grace period of most pods.
pub const SETTLING: Duration = Duration::from_secs(30);

/// What state a pod is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Standing {
    /// All main containers have ended for good, and the classic proxy keeps the pod.
    Stuck {
        /// When the last main container ended.
        since: Option<Timestamp>,
    },
    /// All main containers have ended for good, and another container keeps the pod: a helper, the agent, or a native proxy that does not end.
    Held {
        /// When the last main container ended.
        since: Option<Timestamp>,
    },
    /// The pod is being deleted.
    Deleting {
        /// When its grace period ends.
        since: Timestamp,
    },
    /// All main containers have ended for good, and the pod may still end by itself: it has just begun to, or its agent drains the proxy.
    Ending {
        /// When the last main container ended.
        since: Option<Timestamp>,
    },
    /// A main container has ended, and kubelet starts it again.
    BackOff,
    /// A main container runs.
    Running,
    /// No main container has started.
    Starting,
    /// The pod has failed.
    Failed,
    /// The pod has succeeded.
    Succeeded,
}

// === impl Standing ===

impl Standing {
    /// `settles`: from then on a pod whose task has ended for good counts as stuck.
    pub(super) fn of(facts: &Facts<'_>, settles: Option<Timestamp>, now: Timestamp) -> Self {
        if let Some(since) = facts.deleted() {
            return Self::Deleting { since };
        }
        match facts.phase() {
            "Succeeded" => return Self::Succeeded,
            "Failed" => return Self::Failed,
            _ => {}
        }
        if facts.has_task_ended_for_good() {
            let since = facts.task_ended();
            return match facts.proxy {
                _ if settles.is_none_or(|settles| now < settles) => Self::Ending { since },
                ProxyForm::Classic if facts.proxy_container().is_some_and(super::Container::is_running) => Self::Stuck { since },
                _ => Self::Held { since },
            };
        }
        let endings = facts.with(Part::Main).map(|container| facts.ending(container)).collect::<Vec<_>>();
        if endings.iter().any(|ending| matches!(ending, Ending::Running { .. })) {
            Self::Running
        } else if endings.iter().any(|ending| matches!(ending, Ending::Restarts(_))) {
            Self::BackOff
        } else {
            Self::Starting
        }
    }

    /// Whether the pod does not end by itself although its task has ended.
    #[must_use]
    pub fn is_stuck(self) -> bool {
        matches!(self, Self::Stuck { .. } | Self::Held { .. })
    }

    /// One word for a table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Stuck { .. } => "stuck",
            Self::Held { .. } => "held",
            Self::Deleting { .. } => "deleting",
            Self::Ending { .. } => "ending",
            Self::BackOff => "back-off",
            Self::Running => "running",
            Self::Starting => "starting",
            Self::Failed => "failed",
            Self::Succeeded => "succeeded",
        }
    }

    /// A sentence for a person.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Stuck { .. } => "the task has ended for good, and istio-proxy keeps the pod",
            Self::Held { .. } => "the task has ended for good, and another container keeps the pod",
            Self::Deleting { .. } => "the pod is being deleted",
            Self::Ending { .. } => "the task has ended, and the pod may still end by itself",
            Self::BackOff => "the task has ended, and kubelet starts it again",
            Self::Running => "the task runs",
            Self::Starting => "the task has not started",
            Self::Failed => "the pod has ended, and has failed",
            Self::Succeeded => "the pod has ended, and has succeeded",
        }
    }

    /// Since when.
    #[must_use]
    pub fn since(self) -> Option<Timestamp> {
        match self {
            Self::Stuck { since } | Self::Held { since } | Self::Ending { since } => since,
            Self::Deleting { since } => Some(since),
            Self::BackOff | Self::Running | Self::Starting | Self::Failed | Self::Succeeded => None,
        }
    }
}
