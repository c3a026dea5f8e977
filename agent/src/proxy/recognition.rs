//! What the agent was not told, it asks of Envoy: the form of the proxy, and how its own container stands in the pod.

use core::time::Duration;
use std::process;

use log::{debug, info};

use super::metadata;
use super::sidecar::Sidecar;
use crate::options::{Form, KnownForm, Options};
use crate::os::linux::own_pid;
use crate::os::termination::Termination;
use crate::os::{Linux, World};

/// The first pause between two questions. The pauses double.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// For how long to ask. The image of the proxy may have to be pulled, and perhaps there is none: an agent that may be a regular container
/// must not keep the pod. If it is a native sidecar after all, kubelet starts it again.
const ASKING: Duration = Duration::from_mins(10);
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
pub fn form(world: &Linux, options: &Options) -> Options {
    let mut options = options.clone();
    if options.form == KnownForm::UNKNOWN && options.given_action.is_none() {
        ask(world, &mut options);
    }
    options
}

/// `options` with what Envoy tells now.
#[must_use]
pub fn once(world: &Linux, options: &Options) -> Options {
    let mut options = options.clone();
    ask(world, &mut options);
    options
}

/// `options` with the form of the proxy and the placement of the agent. An agent that is alone waits until Envoy answers or SIGTERM comes,
/// because it can do nothing else. Any other agent asks once: a short task must not end meanwhile.
#[must_use]
pub fn pod(world: &Linux, termination: &Termination, options: &Options) -> Options {
    let mut options = options.clone();
    let (start, mut pause) = (world.now(), FIRST_PAUSE);
    loop {
        let is_known = options.form.form != Form::Unknown && options.placement.is_some();
        if is_known || ask(world, &mut options) {
            return options;
        }
        if !is_alone(world, &options) || world.now().since(start) >= ASKING || termination.wait_for(pause) {
            return options;
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Asks Envoy once, and fills in what was not told. Returns whether there was an answer.
fn ask(world: &Linux, options: &mut Options) -> bool {
    let Some(metadata) = metadata::ask(world, options.admin_port, CALL) else {
        let ambient = options.form.form == Form::Unknown && Sidecar::new(world, options, None).finds_ztunnel();
        if ambient {
            options.form = KnownForm::AMBIENT;
        }
        return ambient;
    };
    options.form = options.form.or(metadata.form());
    let own = world.proc().container(own_pid()).map(|container| container.name);
    options.placement = options.placement.or_else(|| metadata.placement(own.as_deref()?));
    info!("{}", options.form.reason());
    debug!("the agent's own container: {own:?}, {:?}", options.placement);
    true
}
