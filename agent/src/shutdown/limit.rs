//! The limit that ended a drain with data undelivered, and what a user can do about it.

use core::time::Duration;

use drain::duration;
use serde::Serialize;

use super::context::Context;
use crate::os::World;

/// The limit that ended a drain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The pod's grace period: kubelet kills what still runs at its end.
    GracePeriod,
    /// `--drain-timeout`.
    DrainTimeout,
    /// `--stall-timeout`: no byte has moved for this long.
    StallTimeout,
}

// === impl Limit ===

impl Limit {
    /// The limit that has ended the drain of `context` just now. Data is undelivered.
    pub(super) fn reached<W: World>(context: &Context<'_, W>) -> Self {
        if context.must_leave() {
            Self::GracePeriod
        } else if context.age() >= context.options.drain_timeout {
            Self::DrainTimeout
        } else {
            Self::StallTimeout
        }
    }

    /// What a user can do, as a sentence.
    pub(super) fn advice<W: World>(self, context: &Context<'_, W>) -> String {
        let show = |time: Duration| duration::display(time);
        match self {
            Self::GracePeriod => format!(
                "the agent counts on a grace period of {}; a deletion leaves less of it: raise the pod's terminationGracePeriodSeconds \
                 and give the same time to the agent by --grace-period",
                show(context.grace)
            ),
            Self::DrainTimeout => format!("raise --drain-timeout, which is {}", show(context.options.drain_timeout)),
            Self::StallTimeout => format!(
                "no byte has moved for {}: look at the receiver, or raise --stall-timeout",
                show(context.options.stall_timeout)
            ),
        }
    }
}
