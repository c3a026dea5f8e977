//! When a pod is ended: pure, from the pod alone. What earlier tries have left is in the pod, too, so nothing must be remembered: a second
//! controller, or the next run, comes to the same answer.

use core::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::options::Settings;
use crate::pod::{Container, Facts, State};
use crate::rescue::{qualify, rescues, waits_for_image};

/// A pod keeps each ephemeral container as long as it lives, so it does not get more than these.
pub const MOST_TRIES: u32 = 5;

/// What to do with a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Nothing: its task has not ended, it has no classic proxy, it is being deleted, or a rescue is under way.
    Leave,
    /// End it.
    Try {
        /// Not before.
        at: Timestamp,
        /// When the last main container ended.
        since: Timestamp,
        /// How many rescues have failed.
        failed: u32,
    },
    /// Nothing: kubelet waits for the same image, for an earlier rescue.
    NoImage {
        /// When the last main container ended.
        since: Timestamp,
    },
    /// Nothing any more.
    GivenUp {
        /// When the last main container ended.
        since: Timestamp,
    },
}

/// What to do with this pod.
#[must_use]
pub fn plan(facts: &Facts<'_>, settings: &Settings) -> Plan {
    // Kubelet starts no container in a pod that is being deleted.
    if facts.deleted().is_some() || qualify(facts, false).is_err() {
        return Plan::Leave;
    }
    let Some(since) = facts.task_ended() else { return Plan::Leave };
    let failed = u32::try_from(rescues(facts).count()).unwrap_or(u32::MAX);
    if failed >= MOST_TRIES {
        return Plan::GivenUp { since };
    }
    if waits_for_image(facts, &settings.image).is_some() {
        return Plan::NoImage { since };
    }
    let drains = facts.agent_container().is_some_and(|agent| agent.end().is_none());
    let agent = if drains { facts.agent.limit() } else { Duration::ZERO };
    let settled = later(later(since, settings.stuck_for), SignedDuration::try_from(agent).unwrap_or(SignedDuration::MAX));
    let again = rescues(facts).filter_map(last_sign).max().map(|last| later(last, pause(settings.again_after, failed)));
    Plan::Try { at: again.map_or(settled, |again| again.max(settled)), since, failed }
}

/// How long to wait after so many rescues that have failed: twice as long after each.
#[must_use]
pub(super) fn pause(first: SignedDuration, failed: u32) -> SignedDuration {
    let doubled = 1_i32.checked_shl(failed.saturating_sub(1)).unwrap_or(i32::MAX);
    first.checked_mul(doubled).unwrap_or(SignedDuration::MAX)
}

/// The last sign of a rescue: its end, or, if kubelet has never had its image, the time in its name.
fn last_sign(container: &Container<'_>) -> Option<Timestamp> {
    match &container.state {
        State::Ended(end) => end.at,
        State::Waiting { .. } | State::Running { .. } => {
            let (_, second) = container.name.rsplit_once('-')?;
            Timestamp::from_second(second.parse().ok()?).ok()
        }
    }
}

fn later(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.checked_add(by).unwrap_or(Timestamp::MAX)
}
