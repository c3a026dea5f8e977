//! The stages of `exec`: wait for the proxy, run the command, shut the proxy down. A value without I/O; time is an argument.

use core::time::Duration;
use std::time::Instant;

use pod::pidfd::Exit;

use crate::options::restarts::{Restarts, Then};
use crate::options::{NotReady, Options};
use crate::os::sys::process::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};

/// From sysexits(3): the proxy is not ready.
pub(super) const EX_UNAVAILABLE: u8 = 69;
/// A shell adds this to the number of the signal that ended a command.
const SIGNALLED: u8 = 128;
/// Kept of the grace period: the helper leaves two seconds before its end, with a verdict. If it has not, this process leaves now.
const MARGIN: Duration = Duration::from_secs(1);

/// The stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A helper waits for the proxy. The command has not started.
    Waiting,
    /// The command runs.
    Running,
    /// The command has ended, or will not start. A helper shuts the proxy down. The exit code is known.
    Leaving(u8),
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A signal has come, other than SIGCHLD.
    Signal(i32),
    /// The helper has ended.
    Helper(Exit),
    /// The command has ended.
    Ended(Exit),
    /// The command was stopped, as by Ctrl-Z.
    Stopped,
    /// The command could not be started; a shell would have this exit code.
    NotStarted(u8),
    /// The time of [`Stages::deadline`] is over.
    TimeUp,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Start the command.
    Start,
    /// Forward this signal to the process group of the command.
    Forward(i32),
    /// Continue the command, in the foreground if the agent is there.
    Continue,
    /// Stop, as the command has.
    Stop,
    /// Kill the helper: its work is of no use any more.
    Cancel,
    /// Make a helper shut the proxy down. The task has ended in this way, and this is left of the grace period once it runs.
    ShutDown(Exit, Duration),
    /// Tell the helper that the grace period has begun.
    Hurry,
    /// Report that a helper has failed.
    Report(&'static str),
    /// Exit with this code.
    Leave(u8),
}

/// The stages of one command.
#[derive(Debug)]
pub(super) struct Stages {
    stage: Stage,
    not_ready: NotReady,
    restarts: Restarts,
    /// The name of the container, if it is known.
    container: String,
    grace: Duration,
    /// When SIGTERM first came. If kubelet sent it, the grace period began then.
    asked: Option<Instant>,
    /// Signals for a command that has not started.
    early: Vec<i32>,
}

// === impl Stages ===

impl Stages {
    /// The first stage, with its helper.
    pub(super) fn begin(options: &Options, container: String) -> Self {
        let Options { not_ready, grace_period: grace, .. } = *options;
        Self {
            stage: Stage::Waiting,
            not_ready,
            restarts: options.restarts.clone(),
            container,
            grace,
            asked: None,
            early: Vec::new(),
        }
    }

    /// When the grace period is nearly over, if it runs.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting | Stage::Running => None,
            Stage::Leaving(_) => Some(self.asked? + self.grace.saturating_sub(MARGIN)),
        }
    }

    /// Handles `event`.
    pub(super) fn on(&mut self, event: Event, now: Instant) -> Vec<Effect> {
        if event == Event::Signal(SIGTERM) {
            self.asked = self.running_grace(now).or(Some(now));
        }
        match (self.stage, event) {
            (Stage::Waiting, Event::Signal(signal)) => self.on_early_signal(signal, now),
            (Stage::Waiting, Event::Helper(exit)) => self.on_readiness(exit, now),
            (Stage::Running, Event::Signal(SIGCONT)) => vec![Effect::Continue],
            (Stage::Running, Event::Signal(signal)) => vec![Effect::Forward(signal)],
            (Stage::Running, Event::Stopped) => vec![Effect::Stop],
            (Stage::Running, Event::Ended(exit)) => self.leave(exit, now),
            (Stage::Running, Event::NotStarted(code)) => self.leave(Exit::Code(code), now),
            (Stage::Leaving(_), Event::Signal(signal)) if ends(signal) => {
                // A user at the terminal asks for the same as kubelet.
                self.asked = self.asked.or(Some(now));
                vec![Effect::Hurry]
            }
            (Stage::Leaving(code), Event::Helper(exit)) => match exit {
                // The helper has reported what happened.
                Exit::Code(_) => vec![Effect::Leave(code)],
                Exit::Signal(_) | Exit::Unknown => {
                    vec![Effect::Report("the proxy may still run: the helper that shuts it down has failed"), Effect::Leave(code)]
                }
            },
            (Stage::Leaving(code), Event::TimeUp) => {
                let why = "the grace period is over, and the proxy still runs";
                vec![Effect::Cancel, Effect::Report(why), Effect::Leave(code)]
            }
            // A stop during the shutdown would keep the pod. The other events cannot come, or mean nothing.
            (Stage::Leaving(_), Event::Signal(_) | Event::Stopped | Event::Ended(_) | Event::NotStarted(_))
            | (Stage::Waiting, Event::Stopped | Event::Ended(_) | Event::NotStarted(_) | Event::TimeUp)
            | (Stage::Running, Event::Helper(_) | Event::TimeUp) => Vec::new(),
        }
    }

    fn on_early_signal(&mut self, signal: i32, now: Instant) -> Vec<Effect> {
        if ends(signal) {
            let mut effects = vec![Effect::Cancel];
            effects.extend(self.leave(Exit::Signal(number(signal)), now));
            return effects;
        }
        match signal {
            SIGTSTP | SIGTTIN | SIGTTOU => vec![Effect::Stop],
            // The command has not started, so it is not stopped.
            SIGCONT => Vec::new(),
            _ => {
                // The kernel too keeps only one of each kind.
                if !self.early.contains(&signal) {
                    self.early.push(signal);
                }
                Vec::new()
            }
        }
    }

    fn on_readiness(&mut self, exit: Exit, now: Instant) -> Vec<Effect> {
        let (mut effects, start) = match (exit, self.not_ready) {
            (Exit::Code(EX_UNAVAILABLE), NotReady::Fail) => return self.leave(Exit::Code(EX_UNAVAILABLE), now),
            (Exit::Code(_), NotReady::GoOn | NotReady::Fail) => (Vec::new(), Effect::Start),
            // The command is more important than its readiness.
            (Exit::Signal(_) | Exit::Unknown, NotReady::GoOn | NotReady::Fail) => (
                vec![Effect::Report("it is unknown whether the proxy is ready: the helper that waits for it has failed")],
                Effect::Start,
            ),
        };
        self.stage = Stage::Running;
        effects.push(start);
        effects.extend(self.early.drain(..).map(Effect::Forward));
        effects
    }

    /// The task has ended by `exit`.
    fn leave(&mut self, exit: Exit, now: Instant) -> Vec<Effect> {
        let code = match exit {
            Exit::Code(code) => code,
            Exit::Signal(signal) => SIGNALLED.saturating_add(signal),
            Exit::Unknown => 1,
        };
        self.stage = Stage::Leaving(code);
        match self.restarts.then(&self.container, Exit::Code(code)) {
            // The command needs its proxy again.
            Then::Restart | Then::RestartAll => return vec![Effect::Leave(code)],
            // Only a container that has ended is restarted, so this process cannot wait and see.
            Then::Nothing | Then::Unknown => {}
        }
        self.asked = self.running_grace(now);
        let Some(asked) = self.asked else { return vec![Effect::ShutDown(exit, self.grace)] };
        vec![Effect::ShutDown(exit, (asked + self.grace).saturating_duration_since(now)), Effect::Hurry]
    }

    /// When the grace period began, if it runs. If the pod outlives it, kubelet did not send that SIGTERM.
    fn running_grace(&self, now: Instant) -> Option<Instant> {
        self.asked.filter(|asked| now < *asked + self.grace)
    }
}

/// Whether the signal asks the process to end.
const fn ends(signal: i32) -> bool {
    matches!(signal, SIGTERM | SIGINT | SIGHUP | SIGQUIT)
}

/// A signal's number; the largest is 64.
fn number(signal: i32) -> u8 {
    u8::try_from(signal).unwrap_or_default()
}

#[cfg(test)]
mod tests;
