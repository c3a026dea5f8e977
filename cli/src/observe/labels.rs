//! The labels of the metrics. But for the namespace, each has few values.

use prometheus_client::encoding::EncodeLabelSet;

use super::bounds::{ELSEWHERE, InNamespace};
use crate::pod::{Facts, Verdict};

/// Of the counter of pods.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfPods {
    pub(super) namespace: String,
    pub(super) owner_kind: &'static str,
    pub(super) proxy: &'static str,
    pub(super) outcome: &'static str,
    pub(super) route: &'static str,
}

/// Of the histograms.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfTimes {
    pub(super) namespace: String,
    pub(super) owner_kind: &'static str,
    pub(super) proxy: &'static str,
}

/// Of what was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfLosses {
    pub(super) namespace: String,
    pub(super) owner_kind: &'static str,
}

/// Of the pods that do not end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfStuck {
    pub(super) namespace: String,
    pub(super) state: &'static str,
}

/// Of what `reap` has done.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfReaps {
    pub(super) result: &'static str,
    pub(super) dry_run: bool,
}

/// How `reap` has gone on with one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaped {
    /// The proxy is gone.
    Ended,
    /// It would have been ended, but for `--dry-run`.
    WouldEnd,
    /// The pod has gone or changed in between, or another one has begun to end it: there was nothing to do.
    NotNeeded,
    /// The API server refuses the ephemeral container: a right is missing, or an admission webhook or policy says no.
    Refused,
    /// Kubelet cannot have the image of the agent.
    NoImage,
    /// The agent has not ended in time.
    TimedOut,
    /// The agent has ended, and the proxy runs on; or another error.
    NotEnded,
    /// Too many tries have failed: this pod is left alone.
    GivenUp,
}

// === impl OfPods ===

impl InNamespace for OfPods {
    fn elsewhere(self) -> Self {
        Self { namespace: ELSEWHERE.to_owned(), ..self }
    }
}

// === impl OfTimes ===

impl InNamespace for OfTimes {
    fn elsewhere(self) -> Self {
        Self { namespace: ELSEWHERE.to_owned(), ..self }
    }
}

// === impl Reaped ===

impl Reaped {
    /// Every result.
    pub const ALL: [Self; 8] = [
        Self::Ended,
        Self::WouldEnd,
        Self::NotNeeded,
        Self::Refused,
        Self::NoImage,
        Self::TimedOut,
        Self::NotEnded,
        Self::GivenUp,
    ];

    pub(super) fn labels(self) -> OfReaps {
        let result = match self {
            Self::Ended => "ended",
            Self::WouldEnd => "would-end",
            Self::NotNeeded => "not-needed",
            Self::Refused => "refused",
            Self::NoImage => "no-image",
            Self::TimedOut => "timed-out",
            Self::NotEnded => "not-ended",
            Self::GivenUp => "given-up",
        };
        OfReaps { result, dry_run: self == Self::WouldEnd }
    }
}

/// What became of the proxy, by the verdict; or why there is none.
pub(super) fn outcome(facts: &Facts<'_>, verdict: Option<&Verdict>) -> &'static str {
    match verdict.map(|verdict| verdict.proxy.as_str()) {
        Some("gone") => "gone",
        Some("left") => "left",
        Some("draining") => "draining",
        Some("none") => "none",
        Some("stays") => "stays",
        Some("untouched") => "untouched",
        Some(_) => "other",
        None if facts.agent.is_there() => "no-verdict",
        None => "no-agent",
    }
}

/// The route that worked, without its address.
pub(super) fn route(verdict: Option<&Verdict>) -> &'static str {
    let Some(route) = verdict.and_then(|verdict| verdict.route.as_deref()) else { return "none" };
    match route.split_once(' ') {
        Some(("filter", _)) => "filter",
        Some(("admin", _)) => "admin",
        Some(("pilot-agent", _)) => "pilot-agent",
        _ => match route {
            "SIGTERM to pilot-agent" => "sigterm",
            "ztunnel" => "ztunnel",
            "socket table" => "socket-table",
            _ => "other",
        },
    }
}
