//! One ending: the task's completion, the proxy it leaves, and what has been tried.

use core::time::Duration;

use drain::limits::Limits;
use drain::time::Instant;
use drain::wire::{Completion, Unsent};
use pod::delivery::Held;
use pod::pidfd::Exit;

use crate::clock::Clock;
use crate::options::Options;
use crate::rung::Trail;
use crate::sidecar::Sidecar;

/// Everything that the rungs of the ladder work with.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    pub(crate) options: &'a Options,
    pub(crate) sidecar: Sidecar,
    pub(crate) clock: Clock,
    /// When the task was seen to end.
    pub(crate) began: Instant,
    /// How it has ended.
    pub(crate) exit: Exit,
    /// What was tried.
    pub(crate) trail: Trail,
    /// The last facts that whoever decides over the proxy's end has taken.
    pub(crate) told: Option<Held>,
}

// === impl Ending ===

impl<'a> Ending<'a> {
    /// The task has ended at `began`, by `exit`.
    pub(crate) fn new(options: &'a Options, sidecar: Sidecar, clock: Clock, began: Instant, exit: Exit) -> Self {
        Self { options, sidecar, clock, began, exit, trail: Trail::default(), told: None }
    }

    /// The exit code, and the signal: at most one of them is known.
    pub(crate) const fn exit_status(&self) -> (Option<u8>, Option<u8>) {
        match self.exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
            Exit::Unknown => (None, None),
        }
    }

    /// The same as a clause.
    pub(crate) fn how(&self) -> String {
        match self.exit {
            Exit::Code(code) => format!("exit code {code}"),
            Exit::Signal(signal) => format!("signal {signal}"),
            Exit::Unknown => "exit status unknown".to_owned(),
        }
    }

    /// The signal to the filter, with the facts of `held`.
    pub(crate) fn completion(&self, held: Option<Held>) -> Completion {
        let (exit_code, signal) = self.exit_status();
        // Where the proxy's sockets cannot be told from others, their absence says nothing.
        let known = self.sidecar.is_known();
        let unsent = held.map(|Held { connections, bytes, downstream }| Unsent {
            connections,
            bytes,
            downstream: known.then_some(downstream),
        });
        Completion { container: self.options.container.clone(), exit_code, signal, action: self.options.action, unsent }
    }

    /// How long ago the task has ended.
    pub(crate) fn age(&self) -> Duration {
        self.clock.now().since(self.began)
    }

    /// The limits that are left: time that one rung has used up is gone for the next.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            drain_timeout: self.options.drain_timeout.saturating_sub(self.age()),
            stall_timeout: self.options.stall_timeout,
            ..Limits::default()
        }
    }
}
