//! `watch`: runs beside the main containers and sleeps until they have ended.

use core::time::Duration;

use log::info;

use super::preflight;
use crate::options::{Form, Options, Placement, Refusal};
use crate::os::termination::Termination;
use crate::os::{Linux, World, sys};
use crate::proxy::Sidecar;
use crate::shutdown::{Context, Patience, TaskEnd, sequence, verdict};
use crate::task::{Containers, StateDir, Waited};

/// The first pause between two looks for the proxy. The pauses double: ten of them cover the ten seconds within which kubelet starts the
/// container that is listed after the main one.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// The longest pause.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Watches the main containers, and shuts the proxy down once they have ended. It never fails: if the agent
/// failed, kubelet would count the pod as failed.
pub(super) fn run(options: &Options) {
    sys::ignore_interrupt();
    let world = Linux::new();
    let termination = world.block_termination();
    let state_dir = StateDir::new(options.state_dir.clone());
    let refusals = preflight::refusals(options);
    if !refusals.is_empty() {
        verdict::refuse(&refusals, options.termination_log.as_deref());
    } else if state_dir.is_done() {
        info!("an earlier run of the agent has shut the proxy down");
    } else if options.form == Some(Form::Absent) {
        info!("the injector has added no proxy to this pod, so there is nothing to end");
    } else {
        watch(&world, termination, options, &state_dir);
    }
    stay(termination, options.placement);
}

/// Reports the mistakes of the command line, and does nothing else.
pub(super) fn refuse(refusal: &Refusal) {
    let termination = Termination::block();
    let mistakes: Vec<String> = refusal.mistakes.iter().map(ToString::to_string).collect();
    verdict::refuse(&mistakes, refusal.termination_log.as_deref());
    stay(&termination, refusal.placement);
}

/// Waits for SIGTERM in a native sidecar, which kubelet would restart.
fn stay(termination: &Termination, placement: Placement) {
    if placement == Placement::Native {
        termination.wait();
    }
}

/// From the start of the main containers to the verdict.
fn watch(world: &Linux, termination: &Termination, options: &Options, state_dir: &StateDir) {
    let seen_before = state_dir.has_seen_proxy();
    let mut containers = Containers::new(world, termination, options, state_dir);
    let waited = containers.wait_seen();
    let mut sidecar = Sidecar::new(world, options, containers.uid()).seen_before(seen_before);
    let waited = match waited {
        Waited::Running => attach(&mut sidecar, &mut containers, state_dir),
        other => other,
    };
    if waited == Waited::Leave {
        return;
    }

    let at = world.now();
    let (name, exit) = containers.primary();
    let mut task = TaskEnd { container: name.to_owned(), exit, evidence: containers.evidence().to_owned(), at };
    let context = Context { world, options, task: &task, patience: Patience::Endless, grace: options.grace_period };
    let verdict = sequence::run(&context, sidecar);
    state_dir.record_done();
    containers.update_exit_status();
    let (name, exit) = containers.primary();
    (task.container, task.exit) = (name.to_owned(), exit);
    verdict.publish(&task, options);
}

/// Gets a handle of the proxy's process while the task runs, then sleeps until the task has ended. If the proxy was seen and is not there
/// when the task ends, it has ended. If it was never seen, it may still start.
fn attach(sidecar: &mut Sidecar<'_, Linux>, containers: &mut Containers<'_>, state_dir: &StateDir) -> Waited {
    let mut pause = FIRST_LOOK;
    loop {
        sidecar.find();
        sidecar.hold_process();
        if sidecar.has_envoy() {
            state_dir.record_proxy();
        }
        if sidecar.has_envoy() || pause > LAST_LOOK {
            return containers.wait(None);
        }
        match containers.wait(Some(pause)) {
            Waited::TimeUp => pause *= 2,
            ended => return ended,
        }
    }
}
