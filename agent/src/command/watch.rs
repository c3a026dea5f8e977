//! `watch`: runs beside the main containers and sleeps until they have ended.

use core::time::Duration;

use drain::time::Instant;
use log::{info, warn};

use super::{company, preflight};
use crate::options::{Form, Options, Placement};
use crate::os::world::Source as Answer;
use crate::os::{Linux, World, sys};
use crate::proxy::{Sidecar, recognition};
use crate::shutdown::{Context, Patience, TaskEnd, sequence, verdict};
use crate::task::{Containers, Source, StateDir, Waited};

/// The first pause between two looks for the proxy. The pauses double: ten of them cover the ten seconds within which kubelet starts the
/// container that is listed after the main one.
const FIRST_LOOK: Duration = Duration::from_millis(10);
/// The longest pause.
const LAST_LOOK: Duration = Duration::from_secs(5);

/// Waits for the end of the task, and shuts the proxy down then. It never fails: if the agent failed, kubelet would count the pod as failed.
pub(super) fn run(options: &Options) {
    sys::ignore_interrupt();
    let world = Linux::new();
    let termination = world.block_termination();
    // Beside the processes of the node, and for an agent that is a regular container, there is only one source: a short task must not end
    // while the agent asks.
    let asks = options.pid.is_none() && options.placement != Some(Placement::Regular);
    let proxy_first = asks && Sidecar::new(&world, options, None).is_here();
    if company::is_missing(&world, options) {
        return;
    }
    let was_told = options.is_native();
    let options = &if asks { recognition::pod(&world, termination, options) } else { options.clone() };
    if !was_told && company::is_missing(&world, options) {
        return;
    }
    let refusals = preflight::refusals(&world, options);
    if recognition::is_alone(&world, options) && options.form.form == Form::Unknown && termination.has_come() {
        info!("SIGTERM before istio-proxy was seen; leaving");
    } else if !refusals.is_empty() {
        verdict::refuse(&refusals, options);
    } else if options.form.form == Form::Absent {
        info!("the injector has added no proxy to this pod, so there is nothing to end");
    } else {
        return see_out(&world, options, proxy_first);
    }
    stay(&world, options);
}

/// Waits for SIGTERM in a native sidecar, which kubelet would restart.
fn stay<W: World>(world: &W, options: &Options) {
    if options.is_native() {
        wait_for_termination(world);
    }
}

/// Sleeps until SIGTERM has come. Returns when that was.
fn wait_for_termination<W: World>(world: &W) -> Instant {
    loop {
        match world.terminated_at(Answer::LastAnswer) {
            Some(at) => return at,
            None => world.wait_any(&[], None),
        }
    }
}

/// From the start of the main containers to the end of the agent, in a pod that the agent can serve. `proxy_first`: the proxy ran when the agent
/// started.
pub fn see_out<W: World>(world: &W, options: &Options, proxy_first: bool) {
    match Source::of(options) {
        Source::Kubelet => wait_for_kubelet(world, options, proxy_first),
        Source::Processes => watch_processes(world, options),
    }
    stay(world, options);
}

/// Sleeps until kubelet tells the end of the task, then drains the proxy, which kubelet ends once the agent has left.
fn wait_for_kubelet<W: World>(world: &W, options: &Options, proxy_first: bool) {
    if !proxy_first {
        warn!("istio-proxy started after the agent: {ORDER}");
    }
    info!("waiting for SIGTERM, which kubelet sends when the task has ended");
    let task = TaskEnd::by_kubelet(wait_for_termination(world));
    let sidecar = Sidecar::new(world, options, None).seen_before(true);
    let context = Context { world, options, task: &task, patience: Patience::Endless, grace: Some(options.grace_period) };
    let mut verdict = sequence::run(&context, sidecar);
    if !proxy_first && verdict.attempts.routes().next().is_none() {
        warn!("istio-proxy ended before the agent got SIGTERM: {ORDER}");
        verdict.advice = Some(ORDER.to_owned());
    }
    verdict.publish(&task, options);
}

/// What to do about a wrong order: kubelet ends native sidecars in the reverse order of their list.
const ORDER: &str =
    "list the agent behind istio-proxy in initContainers, or kubelet ends istio-proxy first, with what it still holds";

/// Sleeps until the processes of the main containers have ended for good, then shuts the proxy down.
fn watch_processes<W: World>(world: &W, options: &Options) {
    let state_dir = &StateDir::new(options.state_dir.clone());
    if state_dir.is_done() {
        info!("an earlier run of the agent has shut the proxy down");
        return;
    }
    let seen_before = state_dir.has_seen_proxy();
    let mut containers = Containers::new(world, options, state_dir);
    let waited = containers.wait_seen();
    let mut sidecar = Sidecar::new(world, options, containers.uid()).seen_before(seen_before);
    let mut options = options.clone();
    let waited = match waited {
        Waited::Running => attach(world, &mut options, &mut sidecar, &mut containers, state_dir),
        other => other,
    };
    if waited == Waited::Leave {
        return;
    }

    let at = world.now();
    let (name, exit) = containers.primary();
    let mut task = TaskEnd { container: Some(name.to_owned()), exit, evidence: containers.evidence().to_owned(), at };
    let options = &recognition::form(world, &options);
    let context = Context { world, options, task: &task, patience: Patience::Endless, grace: None };
    let verdict = sequence::run(&context, sidecar);
    state_dir.record_done();
    containers.update_exit_status();
    let (name, exit) = containers.primary();
    (task.container, task.exit) = (Some(name.to_owned()), exit);
    verdict.publish(&task, options);
}

/// Gets a handle of the proxy's process while the task runs, then sleeps until the task has ended. If the proxy was seen and is not there
/// when the task ends, it has ended. If it was never seen, it may still start.
fn attach<W: World>(
    world: &W,
    options: &mut Options,
    sidecar: &mut Sidecar<'_, W>,
    containers: &mut Containers<'_, W>,
    state_dir: &StateDir,
) -> Waited {
    let mut pause = FIRST_LOOK;
    loop {
        sidecar.find();
        sidecar.hold_process();
        if sidecar.has_envoy() {
            state_dir.record_proxy();
            // Now, because between the end of the task and the signal every millisecond counts.
            *options = recognition::form(world, options);
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
