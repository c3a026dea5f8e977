//! The order of things: wait for the proxy, run the command, see the proxy out. A value without I/O; time is an argument.

use core::time::Duration;
use std::time::Instant;

use pod::pidfd::Exit;

use crate::options::{NotReady, Options, RestartPolicy};
use crate::sys::process::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU};

/// From sysexits(3): the proxy is not there.
pub(super) const EX_UNAVAILABLE: u8 = 69;
/// What a shell adds to the number of the signal that has ended a command.
const SIGNALLED: u8 = 128;
/// Kept of the grace period: the helper leaves two seconds before its end, with a verdict; if it has not, we do.
const MARGIN: Duration = Duration::from_secs(1);

/// Where we stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// A helper waits for the proxy; there is no command yet.
    Waiting,
    /// The command runs.
    Running,
    /// The command has ended, or will never be there; a helper sees the proxy out. The code is what we end with.
    Leaving(u8),
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// We were sent this signal, any but SIGCHLD.
    Signal(i32),
    /// The helper has ended.
    Helper(Exit),
    /// The command has ended.
    Ended(Exit),
    /// The command was stopped, as by Ctrl-Z.
    Stopped,
    /// The command could not be started; a shell would end with this code.
    NotStarted(u8),
    /// The time that [`Order::deadline`] gave is up.
    TimeUp,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Start the command.
    Start,
    /// Hand this signal on to the command's process group.
    Forward(i32),
    /// The command is to go on, in the foreground if we are there now.
    Continue,
    /// Stop, as the command has.
    Stop,
    /// The helper's work is of no use any more.
    CallOff,
    /// Have a helper see the proxy out: the task has ended in this way, and of the grace period, once it runs, this is left.
    SeeOut(Exit, Duration),
    /// The helper is to be done within the grace period.
    Hurry,
    /// A helper has failed in its work: say so.
    Report(&'static str),
    /// End with this code.
    Leave(u8),
}

/// The order of things for one command.
#[derive(Debug)]
pub(super) struct Order {
    stage: Stage,
    not_ready: NotReady,
    policy: RestartPolicy,
    grace: Duration,
    /// When SIGTERM first came: where it was kubelet's, the grace period runs from then on.
    asked: Option<Instant>,
    /// What has come for a command that was not there yet.
    early: Vec<i32>,
}

// === impl Order ===

impl Order {
    /// The first stage; its helper is at work.
    pub(super) fn begin(options: &Options) -> Self {
        let Options { not_ready, restart_policy: policy, grace_period: grace, .. } = *options;
        Self { stage: Stage::Waiting, not_ready, policy, grace, asked: None, early: Vec::new() }
    }

    /// When the pod's grace period is as good as over, if that is to be waited for.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.stage {
            Stage::Waiting | Stage::Running => None,
            Stage::Leaving(_) => Some(self.asked? + self.grace.saturating_sub(MARGIN)),
        }
    }

    /// Takes `event`.
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
                // Whoever asks at the terminal means it no less than kubelet.
                self.asked = self.asked.or(Some(now));
                vec![Effect::Hurry]
            }
            (Stage::Leaving(code), Event::Helper(exit)) => match exit {
                // Whatever it was, it has said so.
                Exit::Code(_) => vec![Effect::Leave(code)],
                Exit::Signal(_) | Exit::Unknown => {
                    vec![Effect::Report("the proxy may still be there: who was to see it out has failed"), Effect::Leave(code)]
                }
            },
            (Stage::Leaving(code), Event::TimeUp) => {
                let why = "the grace period is over, and the proxy is still there";
                vec![Effect::CallOff, Effect::Report(why), Effect::Leave(code)]
            }
            // A stop on the way out would hold up the pod; nothing else can come, or tells anything.
            (Stage::Leaving(_), Event::Signal(_) | Event::Stopped | Event::Ended(_) | Event::NotStarted(_))
            | (Stage::Waiting, Event::Stopped | Event::Ended(_) | Event::NotStarted(_) | Event::TimeUp)
            | (Stage::Running, Event::Helper(_) | Event::TimeUp) => Vec::new(),
        }
    }

    fn on_early_signal(&mut self, signal: i32, now: Instant) -> Vec<Effect> {
        if ends(signal) {
            let mut effects = vec![Effect::CallOff];
            effects.extend(self.leave(Exit::Signal(number(signal)), now));
            return effects;
        }
        match signal {
            SIGTSTP | SIGTTIN | SIGTTOU => vec![Effect::Stop],
            // Nobody is stopped.
            SIGCONT => Vec::new(),
            _ => {
                // As the kernel does it: one of a kind.
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
            // The command is what the pod is for.
            (Exit::Signal(_) | Exit::Unknown, NotReady::GoOn | NotReady::Fail) => {
                (vec![Effect::Report("the proxy's readiness is unknown: who was to wait for it has failed")], Effect::Start)
            }
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
        if self.policy == RestartPolicy::OnFailure && code != 0 {
            // Kubelet starts this container again, and the command needs its proxy.
            return vec![Effect::Leave(code)];
        }
        self.asked = self.running_grace(now);
        let Some(asked) = self.asked else { return vec![Effect::SeeOut(exit, self.grace)] };
        vec![Effect::SeeOut(exit, (asked + self.grace).saturating_duration_since(now)), Effect::Hurry]
    }

    /// When the grace period began, if it runs. A SIGTERM that the pod has outlived was not kubelet's.
    fn running_grace(&self, now: Instant) -> Option<Instant> {
        self.asked.filter(|asked| now < *asked + self.grace)
    }
}

/// Whether somebody wants us to end.
const fn ends(signal: i32) -> bool {
    matches!(signal, SIGTERM | SIGINT | SIGHUP | SIGQUIT)
}

/// A signal's number; the largest is 64.
fn number(signal: i32) -> u8 {
    u8::try_from(signal).unwrap_or_default()
}

#[cfg(test)]
mod tests;
