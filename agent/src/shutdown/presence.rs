//! Whether there is a proxy to shut down: it runs, it starts after its task has ended, or kubelet has started it again.

use core::time::Duration;

use log::info;
use pod::pidfd::Exit;

use super::attempts::{Attempts, Outcome};
use super::context::{Context, Patience};
use super::{progress, times};
use crate::options::{Form, Verb};
use crate::os::World;
use crate::proxy::{Sidecar, State};

/// Whether the proxy runs, or will. `last` is the outcome of the ladder so far: a proxy that ended by itself can run again.
pub(super) fn is_here<'w, W: World>(
    context: &Context<'w, W>,
    sidecar: &mut Sidecar<'w, W>,
    attempts: &Attempts,
    last: Option<&Outcome>,
) -> bool {
    if last.is_none() {
        sidecar.find();
    }
    let is_here = match (last, sidecar.state()) {
        (Some(Outcome::Gone), _) | (None, State::Gone) => restarts(context, sidecar, attempts),
        (Some(Outcome::Left | Outcome::Failed(_)), _) => false,
        (None, State::Running(_) | State::Ztunnel) => true,
        (None, State::NotYet) => starts(context, sidecar),
    };
    if is_here {
        lets_it_start(context, sidecar);
    }
    is_here
}

/// Lets an Envoy that is just starting open its listeners: before that it takes no call, and pilot-agent, which takes one, would kill it.
fn lets_it_start<W: World>(context: &Context<'_, W>, sidecar: &mut Sidecar<'_, W>) {
    let start = context.world.now();
    while sidecar.is_starting() && context.world.now().since(start) < times::LISTEN && !context.has_sigterm() {
        context.world.sleep(times::LOOK);
        sidecar.find();
    }
}

/// Whether the proxy starts after all. A task can end before kubelet starts the container listed after it, and a pod whose proxy starts
/// after the agent has left stays for ever.
fn starts<W: World>(context: &Context<'_, W>, sidecar: &mut Sidecar<'_, W>) -> bool {
    // A script goes on after `complete`. But where `exec` has started the command without the proxy, nobody else ends it.
    if context.patience == Patience::Once && context.options.verb != Verb::Exec {
        return false;
    }
    let why = match context.options.form.form {
        Form::Classic => context.options.form.reason(),
        Form::Unknown if sidecar.is_captured() => "the pod's traffic is captured".to_owned(),
        // Waiting costs nothing: a native agent does not keep the pod.
        Form::Unknown if context.options.is_native() => "nothing tells whether the pod has a proxy".to_owned(),
        // A native sidecar starts before all main containers, and does not keep the pod.
        Form::Native | Form::Absent | Form::Ambient | Form::Unknown => return false,
    };
    info!("{why}, and no proxy has started yet; waiting for one");
    waits(context, sidecar, times::START)
}

/// Whether kubelet starts the proxy again, if it ended by itself: under `OnFailure` kubelet restarts a crashed proxy, and the pod would
/// stay for the new one.
fn restarts<'w, W: World>(context: &Context<'w, W>, sidecar: &mut Sidecar<'w, W>, attempts: &Attempts) -> bool {
    let now = context.world.now();
    let by_itself = match sidecar.exit() {
        Exit::Code(0) => !attempts.is_by_decision(now),
        Exit::Code(_) | Exit::Signal(_) => true,
        Exit::Unknown => !(attempts.is_by_decision(now) && attempts.is_prompt(now)),
    };
    let kubelet_restarts = context.options.restarts.may_restart_others() && sidecar.is_in_a_pod();
    if !by_itself || !kubelet_restarts || context.patience == Patience::Once {
        return false;
    }
    let mut next = Sidecar::new(context.world, context.options, None).instead_of(sidecar);
    let restarted = waits(context, &mut next, times::RESTART);
    if restarted {
        info!("the proxy ended by itself and was started again");
        next.hold_process();
        *sidecar = next;
    }
    restarted
}

/// Waits until the proxy runs, at most for `time` and until SIGTERM, after which kubelet starts nothing. A native agent gets SIGTERM when no
/// regular container runs any more, and if another process has sent it, kubelet starts the agent again. Returns whether the proxy runs.
fn waits<W: World>(context: &Context<'_, W>, sidecar: &mut Sidecar<'_, W>, time: Duration) -> bool {
    let start = context.world.now();
    let is_over = || context.is_asked_to_leave() || context.options.is_native() && context.has_sigterm();
    let mut has_told = false;
    loop {
        if !has_told && context.has_sigterm() {
            has_told = true;
            progress::report_waiting(context, sidecar);
        }
        let waited = context.world.now().since(start);
        if waited >= time || is_over() {
            return false;
        }
        if sidecar.is_here() {
            return true;
        }
        // Each look reads the processes of the pod, so a long wait looks less often.
        context.world.sleep((waited / 10).clamp(times::LOOK, times::LONGEST_LOOK));
    }
}

#[cfg(test)]
mod tests;
