//! The limit that ended a shutdown with data undelivered, and what a user can do about it.

use core::time::Duration;

use drain::duration;
use drain::machine::Reason;
use serde::Serialize;

use super::attempts::Attempts;
use super::budget::Budget;
use super::context::Context;
use crate::os::World;
use crate::os::world::Source;

/// The agent sees the end of a drain up to a second late or early: it reports a reading every second, and the filter has a clock of its own.
pub(super) const SLACK: Duration = Duration::from_secs(1);

/// The limit that ended a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Limit {
    /// The pod's grace period: kubelet kills what still runs at its end.
    GracePeriod,
    /// The drain timeout: the delivery took too long in all.
    DrainTimeout,
    /// The stall timeout: no byte has moved for this long.
    StallTimeout,
}

// === impl Limit ===

impl Limit {
    /// The limit that the filter calls `name`.
    pub(super) fn named(name: &str) -> Option<Self> {
        let is = |reason: Reason| reason.limit() == Some(name);
        if is(Reason::DeadlinePassed) { Some(Self::DrainTimeout) } else { is(Reason::Stalled).then_some(Self::StallTimeout) }
    }

    /// The limit that has ended the drain of `context` just now, with data undelivered. `left`: the drain has ended and the proxy runs, so there
    /// was one. Otherwise `None` if the proxy has ended by itself.
    pub(super) fn reached<W: World>(context: &Context<'_, W>, attempts: &Attempts, left: bool) -> Option<Self> {
        if context.grace_left(Source::Kernel).is_some_and(|left| left <= SLACK) {
            return Some(Self::GracePeriod);
        }
        let told = Budget::of(context, attempts).passed;
        // The filter has its own clock.
        told.or_else(|| Self::has_passed(context, attempts)).or(left.then_some(Self::StallTimeout))
    }

    /// The limit of the decider that has passed by the agent's clock.
    pub(super) fn has_passed<W: World>(context: &Context<'_, W>, attempts: &Attempts) -> Option<Self> {
        let (budget, now) = (Budget::of(context, attempts), context.world.now());
        if budget.left(now) <= SLACK {
            Some(Self::DrainTimeout)
        } else {
            let stalled = attempts.moved_at().is_some_and(|moved| now.since(moved) + SLACK >= budget.stall_timeout());
            stalled.then_some(Self::StallTimeout)
        }
    }

    /// What a user can do, as a sentence.
    pub(super) fn advice<W: World>(self, context: &Context<'_, W>, attempts: &Attempts) -> String {
        let budget = Budget::of(context, attempts);
        match self {
            Self::GracePeriod => format!(
                "the agent counts on a grace period of {}; a deletion leaves less of it: raise the pod's terminationGracePeriodSeconds \
                 and give the same time to the agent by --grace-period",
                duration::display(context.grace.unwrap_or(context.options.grace_period))
            ),
            Self::DrainTimeout => {
                format!("the delivery has {} in all: {}", duration::display(budget.drain_timeout()), budget.raise_drain_timeout())
            }
            Self::StallTimeout => format!(
                "no byte has moved for {}: look at the receiver, or {}",
                duration::display(budget.stall_timeout()),
                budget.raise_stall_timeout()
            ),
        }
    }
}
