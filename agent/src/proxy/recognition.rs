//! What the agent was not told, it asks of Envoy: the form of the proxy, and how its own container stands in the pod.

use core::time::Duration;
use std::process;

use log::{debug, info};
use pod::proxy::Listener;

use super::metadata;
use super::sidecar::Sidecar;
use crate::options::{Form, KnownForm, Options, Placement};
use crate::os::linux::own_pid;
use crate::os::mark;
use crate::os::termination::Termination;
use crate::os::{Linux, World};

/// The first pause between two questions. The pauses double.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// For how long to ask as a native sidecar, which keeps no pod. The image of the proxy may have to be pulled.
const ASKING: Duration = Duration::from_mins(5);
/// The same where the agent can be a regular container, which keeps the pod as long as it runs.
const ASKING_BRIEFLY: Duration = Duration::from_secs(10);
/// Timeout for one question. While Envoy starts, its main thread can be busy.
const CALL: Duration = Duration::from_millis(250);

/// Whether the pod does not share its processes, so that the agent sees none of the main containers. Then process 1 is the agent itself, or the
/// agent that `kubectl exec` has started this process beside; in a shared PID namespace it is `pause`.
#[must_use]
pub fn is_alone(world: &Linux, options: &Options) -> bool {
    let comm = |pid| world.proc().process(pid).map(|process| process.comm);
    options.pid.is_none() && (process::id() == 1 || comm(1).is_some_and(|first| Some(first) == comm(own_pid())))
}

/// `options` with the form of the proxy, as far as Envoy tells it now.
#[must_use]
pub fn form<W: World>(world: &W, options: &Options) -> Options {
    let mut options = options.clone();
    if options.form == KnownForm::UNKNOWN {
        ask(world, &mut options);
    }
    options
}

/// `options` with the form of the proxy and, unless `are_known`, the names of the regular containers, as far as Envoy tells them now.
#[must_use]
pub fn watched(world: &impl World, options: &Options, are_known: bool) -> Options {
    if are_known { form(world, options) } else { once(world, options) }
}

/// `options` with what Envoy tells now.
#[must_use]
pub fn once<W: World>(world: &W, options: &Options) -> Options {
    let mut options = options.clone();
    ask(world, &mut options);
    options
}

/// `options` with the form of the proxy and the placement of the agent. An agent that is alone asks until Envoy answers or SIGTERM comes,
/// because it can do nothing else. Any other agent asks once: a short task must not end meanwhile.
#[must_use]
pub fn pod(world: &Linux, termination: &Termination, options: &Options) -> Options {
    let mut options = options.clone();
    if !is_alone(world, &options) {
        if !is_known(&options) {
            ask(world, &mut options);
        }
        return options;
    }
    if options.placement.is_none() && mark::is_there() {
        info!("kubelet has started the agent again, so it is a native sidecar");
        options.placement = Some(Placement::Native);
    }
    let limit = if options.is_native() { ASKING } else { ASKING_BRIEFLY };
    let (start, mut pause) = (world.now(), FIRST_PAUSE);
    while !is_known(&options) && !ask(world, &mut options) && world.now().since(start) < limit && !termination.wait_for(pause) {
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    if options.placement.is_none()
        && let Err(error) = mark::leave()
    {
        debug!("no mark for a restart of the agent: {error}");
    }
    options
}

fn is_known(options: &Options) -> bool {
    options.form.form != Form::Unknown && options.placement.is_some()
}

/// Asks Envoy once, and fills in what was not told. Returns whether there was an answer.
fn ask<W: World>(world: &W, options: &mut Options) -> bool {
    // On a shared host the process of the proxy is given, and so is the admin interface.
    let sidecar = options.proxy_pid.is_none().then(|| Sidecar::seen_now(world, options));
    let is_strangers = |at| sidecar.as_ref().is_some_and(|sidecar| matches!(sidecar.who_listens(at), Listener::Other(_)));
    let Some(metadata) = metadata::ask(world, options.admin_port, CALL, |at| !is_strangers(at)) else {
        let ambient = options.form.form == Form::Unknown && sidecar.is_some_and(|sidecar| sidecar.is_ztunnel());
        if ambient {
            options.form = KnownForm::AMBIENT;
        }
        return ambient;
    };
    options.form = options.form.or(metadata.form());
    metadata.regular().clone_into(&mut options.regular);
    let own = world.container(world.own_pid()).map(|container| container.name);
    options.placement = options.placement.or_else(|| metadata.placement(own.as_deref()?));
    info!("{}", options.form.reason());
    debug!("the agent's own container: {own:?}, {:?}", options.placement);
    true
}
