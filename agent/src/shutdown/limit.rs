//! The limit that ended a drain with data undelivered, and what a user can do about it.

use core::time::Duration;

use drain::duration;
use serde::Serialize;

use super::attempts::Attempts;
use super::context::Context;
use crate::os::World;
use crate::os::world::Source;

/// The agent sees the end of a drain up to a second late or early: it reports a reading every second, and the filter has a clock of its own.
const SLACK: Duration = Duration::from_secs(1);

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
    /// The limit that has ended the drain of `context` just now, with data undelivered. `left`: the decider has left the proxy running, so
    /// there was one. Otherwise `None` if the proxy has ended by itself.
    pub(super) fn reached<W: World>(context: &Context<'_, W>, attempts: &Attempts, left: bool) -> Option<Self> {
        let is_over = |time: Duration, limit: Duration| time + SLACK >= limit;
        if context.grace_left(Source::Kernel).is_some_and(|left| left <= SLACK) {
            Some(Self::GracePeriod)
        } else if is_over(context.age(), context.options.drain_timeout) {
            Some(Self::DrainTimeout)
        } else if left
            // The filter has its own clock.
            || is_over(context.world.now().since(attempts.moved_at()), context.options.stall_timeout)
        {
            Some(Self::StallTimeout)
        } else {
            None
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
