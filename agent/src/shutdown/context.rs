//! What all steps of a shutdown read and none writes.

use core::time::Duration;

use drain::duration::milliseconds;
use drain::time::Instant;
use drain::wire::{Action, Completion, Unsent};
use pod::delivery::Held;
use pod::pidfd::Exit;

use super::times;
use crate::options::{KnownForm, Options};
use crate::os::World;
use crate::os::world::Source;
use crate::proxy::Sidecar;

/// The end of the task.
#[derive(Clone, Debug)]
pub struct TaskEnd {
    /// The main container that the verdict names: the first that failed, else the first. `None` if kubelet has told the end, or no name
    /// was given.
    pub container: Option<String>,
    /// How it has ended.
    pub exit: Exit,
    /// How its end is known, as a clause of the verdict.
    pub evidence: String,
    /// When the agent saw it.
    pub at: Instant,
    /// What became of the helpers of the task, and which containers still run.
    pub helpers: Vec<Helper>,
    /// Whether only SIGTERM tells it. That can be somebody else's, so the task may still run, and the proxy is only drained: that cuts nothing off.
    pub only_sigterm: bool,
}

/// What became of one helper: a container beside the task that is neither a main container nor the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Helper {
    /// Its container. `None` if only a request was given.
    pub container: Option<String>,
    /// The request or the signal that it got. `None` if it got none.
    pub asked: Option<String>,
    /// How long after the task it ended. `None` if it runs.
    pub ended: Option<Duration>,
}

/// How often the agent tries to end the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Once: another program waits for the exit code of the agent.
    Once,
    /// Until the proxy has ended.
    Endless,
}

/// What all steps of a shutdown read.
#[derive(Debug)]
pub struct Context<'a, W: World> {
    /// The machine.
    pub world: &'a W,
    /// The command line.
    pub options: &'a Options,
    /// The end of the task.
    pub task: &'a TaskEnd,
    /// How often to try.
    pub patience: Patience,
    /// What is left of the pod's grace period when SIGTERM comes. `None` if SIGTERM is no limit: where kubelet does not tell the end of the
    /// task by it, a SIGTERM is a deletion or somebody else's, and nothing tells them apart. In a deletion kubelet kills the agent, whose
    /// verdict is in its file by then; an agent that left after another SIGTERM would leave the proxy, and with it the pod, for ever.
    pub grace: Option<Duration>,
}

// === impl TaskEnd ===

impl TaskEnd {
    /// The end of `container`, as the caller of the agent reports it.
    #[must_use]
    pub fn reported(container: Option<&str>, exit: Exit, at: Instant) -> Self {
        let evidence = "the caller of the agent reported it".to_owned();
        Self { container: container.map(ToOwned::to_owned), exit, evidence, at, helpers: Vec::new(), only_sigterm: false }
    }

    /// The end of all regular containers, which kubelet tells by SIGTERM.
    #[must_use]
    pub fn by_kubelet(at: Instant) -> Self {
        Self {
            container: None,
            exit: Exit::Unknown,
            evidence: "SIGTERM from kubelet".to_owned(),
            at,
            helpers: Vec::new(),
            only_sigterm: false,
        }
    }

    /// The exit code and the signal. At most one of them is known.
    #[must_use]
    pub const fn exit_status(&self) -> (Option<u8>, Option<u8>) {
        match self.exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
            Exit::Unknown => (None, None),
        }
    }
}

// === impl Context ===

impl<W: World> Context<'_, W> {
    /// The time since the end of the task.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.world.now().since(self.task.at)
    }

    /// Whether SIGTERM has come, whoever sent it.
    #[must_use]
    pub fn has_sigterm(&self) -> bool {
        self.world.terminated_at(Source::Kernel).is_some()
    }

    /// Whether SIGTERM has come and is a limit.
    #[must_use]
    pub fn is_asked_to_leave(&self) -> bool {
        self.grace.is_some() && self.has_sigterm()
    }

    /// Whether SIGTERM has come and the grace period is nearly over.
    #[must_use]
    pub fn must_leave(&self) -> bool {
        self.grace_left(Source::Kernel).is_some_and(|left| left.is_zero())
    }

    /// What is left of the grace period, without the time for a verdict. `None` before SIGTERM, and if that is no limit.
    #[must_use]
    pub fn grace_left(&self, source: Source) -> Option<Duration> {
        let end = self.world.terminated_at(source)? + self.grace?.saturating_sub(times::MARGIN);
        Some(end.since(self.world.now()))
    }

    /// `timeout`, or less if the grace period ends before: an agent that must leave does not wait for a proxy that hangs.
    #[must_use]
    pub fn time_for(&self, timeout: Duration) -> Duration {
        self.grace_left(Source::LastAnswer).map_or(timeout, |left| timeout.min(left.max(times::LAST_CALL)))
    }

    /// What to do with the proxy.
    pub fn action(&self, sidecar: &Sidecar<'_, W>) -> Action {
        if sidecar.is_ztunnel() {
            KnownForm::AMBIENT.action()
        } else if self.task.only_sigterm {
            Action::Drain
        } else {
            self.options.action()
        }
    }

    /// The reason for the action, as a clause of the verdict.
    pub fn reason(&self, sidecar: &Sidecar<'_, W>) -> String {
        let reason = if sidecar.is_ztunnel() { KnownForm::AMBIENT.reason() } else { self.options.reason() };
        if self.task.only_sigterm { format!("{reason}; only SIGTERM tells the end of the task") } else { reason }
    }

    /// The completion of the end at `ended_at`, with `held`, what the kernel holds, and the limits that the user gave to the agent.
    pub fn completion(&self, sidecar: &Sidecar<'_, W>, held: Option<Held>, ended_at: Instant) -> Completion {
        let (exit_code, signal) = self.task.exit_status();
        // If the sockets of the proxy cannot be told from others, no socket does not mean no connection.
        let known = sidecar.is_known();
        let unsent = held.map(|Held { connections, bytes, downstream, buffers }| Unsent {
            connections,
            bytes,
            downstream: known.then_some(downstream),
            buffers,
        });
        Completion {
            container: self.task.container.clone(),
            exit_code,
            signal,
            action: self.action(sidecar),
            unsent,
            ended_at_ms: Some(milliseconds(ended_at.since_zero())),
            drain_timeout_ms: self.options.drain_timeout.map(milliseconds),
            stall_timeout_ms: self.options.stall_timeout.map(milliseconds),
        }
    }
}
