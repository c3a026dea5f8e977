//! The limits of a shutdown. There is one budget for the drain and for the flush after it, whoever decides: the limits that the user gave to
//! the agent, or else those of the filter, or else the defaults.

use core::time::Duration;

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
        // No filter has longer limits.
        let told = |ms: u64| Duration::from_millis(ms).min(*Limits::TIMEOUTS.end());
        let left = told(status.deadline_ms?);
        let own = Self::without_filter(context);
        let options = context.options;
        let timeout = |length: Option<u64>, given: Option<Duration>, own: Timeout| {
            // An older filter does not tell its limits.
            let length = length.map_or(own.length, told);
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

    /// How long the delivery may take in all.
    pub(super) const fn drain_timeout(&self) -> Duration {
        self.drain_timeout.length
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
    /// How a user raises it, by the agent's `option` or the plugin's `field`.
    fn raise(self, option: &str, field: &str) -> String {
        match self.set_in {
            Place::Agent => format!("raise the agent's {option}"),
            Place::Plugin => format!("raise {field} in the plugin's configuration, or give this agent {option}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use drain::wire::Status;
    use pod::pidfd::Exit;

    use super::*;
    use crate::shutdown::{Patience, TaskEnd};
    use crate::testing::{Script, options};

    /// What `check` finds with the agent's `options`, 20 s after the end of the task, if a filter has told `status`.
    fn budget(line: &str, status: Option<&str>, check: impl Fn(Duration, Budget)) {
        let world = Script::default();
        let (options, task) = (options(&format!("watch {line}")), TaskEnd::reported(None, Exit::Unknown, Instant::default()));
        let context = Context { world: &world, options: &options, task: &task, patience: Patience::Endless, grace: None };
        world.pass_until(20_000);
        let status = status.map(|status| Status::parse(status.as_bytes()).unwrap());
        let mut attempts = Attempts::default();
        attempts.promised = status.and_then(|status| Budget::promised(&context, &status));
        let budget = Budget::of(&context, &attempts);
        check(budget.left(context.world.now()), budget);
    }

    #[test]
    fn without_a_filter_the_agents_limits_count_from_the_end_of_the_task() {
        budget("", None, |left, budget| {
            assert_eq!((left, budget.stall_timeout()), (Duration::from_secs(280), Limits::STALL_TIMEOUT));
            assert_eq!(budget.raise_drain_timeout(), "raise the agent's --drain-timeout");
        });
        budget("--drain-timeout 1m --stall-timeout 3s", None, |left, budget| {
            assert_eq!((left, budget.stall_timeout()), (Duration::from_secs(40), Duration::from_secs(3)));
        });
    }

    #[test]
    fn what_the_filter_promises_counts_whatever_the_agent_would_do() {
        let status = r#"{"state":"draining","deadlineMs":600000,"drainTimeoutMs":620000,"stallTimeoutMs":9000}"#;
        budget("--stall-timeout 9s", Some(status), |left, budget| {
            assert_eq!((left, budget.stall_timeout()), (Duration::from_mins(10), Duration::from_secs(9)));
            assert_eq!(budget.raise_stall_timeout(), "raise the agent's --stall-timeout", "the filter has it from the agent");
            let expected = "raise drainTimeout in the plugin's configuration, or give this agent --drain-timeout";
            assert_eq!(budget.raise_drain_timeout(), expected);
        });
    }

    #[test]
    fn an_older_filter_tells_only_its_deadline() {
        budget("--stall-timeout 9s", Some(r#"{"state":"draining","deadlineMs":5000}"#), |left, budget| {
            assert_eq!((left, budget.stall_timeout()), (Duration::from_secs(5), Duration::from_secs(9)));
        });
        budget("", Some(r#"{"state":"serving","deadlineMs":null}"#), |left, _| assert_eq!(left, Duration::from_secs(280)));
    }
}
