//! The limits of a shutdown. There is one budget for the drain and for the flush after it, whoever decides: the limits that the user gave to
//! the agent, or else those of the filter, or else the defaults.

use core::time::Duration;

use drain::duration;
use drain::limits::Limits;
use drain::time::Instant;
use drain::wire::Status;

use super::attempts::Attempts;
use super::context::Context;
use super::limit::Limit;
use crate::os::World;

/// The limits in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    /// When the delivery must be over.
    pub(super) deadline: Instant,
    drain_timeout: Timeout,
    stall_timeout: Timeout,
    /// The limit that has ended the drain, if the filter has said so.
    pub(super) passed: Option<Limit>,
}

/// One limit, and where a user can change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Timeout {
    length: Duration,
    set_in: Place,
}

/// Where a limit is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The options of the agent.
    Agent,
    /// The configuration of the plugin.
    Plugin,
}

// === impl Budget ===

impl Budget {
    /// The budget of the decider that has the drain now: what the filter has promised last, or what the agent has by itself.
    pub(super) fn of<W: World>(context: &Context<'_, W>, attempts: &Attempts) -> Self {
        attempts.promised.unwrap_or_else(|| Self::without_filter(context))
    }

    /// The budget that `status` promises now. `None` if there is no drain.
    pub(super) fn promised<W: World>(context: &Context<'_, W>, status: &Status) -> Option<Self> {
        let left = Duration::from_millis(status.deadline_ms?);
        let own = Self::without_filter(context);
        let options = context.options;
        let timeout = |told: Option<u64>, given: Option<Duration>, own: Timeout| {
            // An older filter does not tell its limits.
            let length = told.map_or(own.length, Duration::from_millis);
            Timeout { length, set_in: if given == Some(length) { Place::Agent } else { Place::Plugin } }
        };
        Some(Self {
            deadline: context.world.now() + left,
            drain_timeout: timeout(status.drain_timeout_ms, options.drain_timeout, own.drain_timeout),
            stall_timeout: timeout(status.stall_timeout_ms, options.stall_timeout, own.stall_timeout),
            passed: status.limit.as_deref().and_then(Limit::named),
        })
    }

    fn without_filter<W: World>(context: &Context<'_, W>) -> Self {
        let timeout = |length| Timeout { length, set_in: Place::Agent };
        let drain_timeout = timeout(context.options.drain_timeout.unwrap_or(Limits::DRAIN_TIMEOUT));
        let stall_timeout = timeout(context.options.stall_timeout.unwrap_or(Limits::STALL_TIMEOUT));
        Self { deadline: context.task.at + drain_timeout.length, drain_timeout, stall_timeout, passed: None }
    }

    /// What is left of it for a drain that begins `now`, without the grace period, which begins with the last SIGTERM.
    pub(super) fn limits(&self, now: Instant) -> Limits {
        Limits { drain_timeout: self.left(now), stall_timeout: self.stall_timeout(), ..Limits::default() }
    }

    /// What is left of it.
    pub(super) fn left(&self, now: Instant) -> Duration {
        self.deadline.since(now)
    }

    /// How long no byte may move.
    pub(super) const fn stall_timeout(&self) -> Duration {
        self.stall_timeout.length
    }

    /// How a user raises the drain timeout, as a clause of an advice.
    pub(super) fn raise_drain_timeout(&self) -> String {
        self.drain_timeout.raise("--drain-timeout", "drainTimeout")
    }

    /// The same for the stall timeout.
    pub(super) fn raise_stall_timeout(&self) -> String {
        self.stall_timeout.raise("--stall-timeout", "stallTimeout")
    }
}

// === impl Timeout ===

impl Timeout {
    fn raise(self, option: &str, field: &str) -> String {
        let length = duration::display(self.length);
        match self.set_in {
            Place::Agent => format!("raise the agent's {option}, which is {length}"),
            Place::Plugin => format!("raise the plugin's {field}, which is {length}, or give this agent {option}"),
        }
    }
}
