//! One ending: the task's completion, the proxy it leaves, and what has been tried.

use core::net::SocketAddr;
use core::time::Duration;

use drain::limits::Limits;
use drain::time::Instant;
use drain::wire::{Action, Completion, Unsent};
use pod::delivery::Held;
use pod::pidfd::Exit;

use crate::clock::Clock;
use crate::istio::Form;
use crate::options::Options;
use crate::rung::Trail;
use crate::sidecar::Sidecar;
use crate::termination::Termination;

/// Within that, a neighbour in the pod answers, or it does not.
const NEIGHBOURLY: Duration = Duration::from_millis(100);
/// How often a long wait is broken off to see whether we were asked to leave.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

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
    /// Filters that may have taken the completion and have not said so, or have and say nothing more.
    pub(crate) silent: Vec<SocketAddr>,
    /// Whether the proxy was there while the task ran, as far as is remembered.
    pub(crate) proxy_was_met: bool,
    /// The main container that speaks for the task.
    container: String,
    /// How its end is known, as a clause.
    known_by: String,
    /// By what the proxy is known, as a clause.
    proxy_known_by: String,
    /// SIGTERM, where it is held back.
    termination: Option<&'a Termination>,
}

// === impl Ending ===

impl<'a> Ending<'a> {
    /// The task has ended at `began`, by `exit`.
    pub(crate) fn new(options: &'a Options, sidecar: Sidecar, clock: Clock, began: Instant, exit: Exit) -> Self {
        let container = options.container().to_owned();
        Self {
            options,
            sidecar,
            clock,
            began,
            exit,
            trail: Trail::default(),
            told: None,
            silent: Vec::new(),
            proxy_was_met: false,
            container,
            known_by: "told".to_owned(),
            proxy_known_by: "by its process, while the task ran".to_owned(),
            termination: None,
        }
    }

    /// The same, of the main container called `name`.
    pub(crate) fn of(mut self, name: &str) -> Self {
        name.clone_into(&mut self.container);
        self
    }

    /// The same, as far as more is known by now of how the task has ended.
    pub(crate) fn ended(mut self, name: &str, exit: Exit) -> Self {
        self.exit = exit;
        self.of(name)
    }

    /// The same, known by `evidence`.
    pub(crate) fn known_by(mut self, evidence: &str) -> Self {
        evidence.clone_into(&mut self.known_by);
        self
    }

    /// The same, within the grace period that `termination` begins.
    pub(crate) const fn within(mut self, termination: &'a Termination) -> Self {
        self.termination = Some(termination);
        self
    }

    /// The main container.
    pub(crate) fn container(&self) -> &str {
        &self.container
    }

    /// How its end is known.
    pub(crate) fn evidence(&self) -> &str {
        &self.known_by
    }

    /// The filter at `at` may know of the completion, and does not answer.
    pub(crate) fn remember_silent(&mut self, at: SocketAddr) {
        if !self.silent.contains(&at) {
            self.silent.push(at);
        }
    }

    /// Whether we were asked to leave, and the grace period is as good as over.
    pub(crate) fn must_leave(&self) -> bool {
        self.grace_left().is_some_and(|left| left.is_zero())
    }

    /// Whether we were asked to leave.
    pub(crate) fn is_asked_to_leave(&self) -> bool {
        self.termination.is_some_and(Termination::has_come)
    }

    /// What is left of the grace period, less the time for a verdict; `None` while it does not run.
    pub(crate) fn grace_left(&self) -> Option<Duration> {
        self.termination.and_then(Termination::grace_left)
    }

    /// How long a call may take that has `timeout`: who is to leave does not wait for a proxy that hangs.
    pub(crate) fn time_for(&self, timeout: Duration) -> Duration {
        let left = self.termination.and_then(Termination::noticed_grace_left);
        left.map_or(timeout, |left| timeout.min(left.max(NEIGHBOURLY)))
    }

    /// Waits for the proxy's end, at most for `pause`, and no longer than we may. Whether it has gone.
    pub(crate) fn wait_long(&mut self, pause: Duration) -> bool {
        let end = self.clock.now() + pause;
        loop {
            let left = end.since(self.clock.now()).min(LONGEST_SLEEP);
            if left.is_zero() || self.must_leave() {
                return false;
            }
            if self.sidecar.wait_long(left) {
                return true;
            }
        }
    }

    /// What is to become of the proxy.
    pub(crate) fn action(&self) -> Action {
        if self.sidecar.is_ztunnel() { Form::Ambient.action() } else { self.options.action }
    }

    /// How that was decided, and by what the proxy is known, as a clause.
    pub(crate) fn decided(&self) -> String {
        let decided = if self.sidecar.is_ztunnel() { Form::Ambient.decided() } else { self.options.decided() };
        format!("{decided}; known {}", self.proxy_known_by)
    }

    /// Takes down by what the proxy is known, as long as it is there.
    pub(crate) fn note_proxy(&mut self) {
        self.proxy_known_by = self.sidecar.known_by();
    }

    /// The exit code, and the signal: at most one of them is known.
    pub(crate) const fn exit_status(&self) -> (Option<u8>, Option<u8>) {
        match self.exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
            Exit::Unknown => (None, None),
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
        Completion { container: self.container.clone(), exit_code, signal, action: self.action(), unsent }
    }

    /// How long ago the task has ended.
    pub(crate) fn age(&self) -> Duration {
        self.clock.now().since(self.began)
    }

    /// The limits that are left: time that one rung has used up is gone for the next.
    pub(crate) fn limits(&self) -> Limits {
        let left = self.options.drain_timeout.saturating_sub(self.age());
        Limits {
            drain_timeout: self.grace_left().map_or(left, |grace| left.min(grace)),
            stall_timeout: self.options.stall_timeout,
            ..Limits::default()
        }
    }
}
