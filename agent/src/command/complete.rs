//! `complete`: called when the work of the main container is done, for example by the last line of a script.

use pod::pidfd::Exit;

use crate::options::Options;
use crate::os::{Linux, World};
use crate::proxy::{Sidecar, recognition};
use crate::shutdown::{Context, Patience, ProxyOutcome, TaskEnd, sequence};

/// Shuts the proxy down. Returns whether it has ended, or kubelet ends it.
pub(super) fn run(options: &Options) -> bool {
    let world = Linux::new();
    let options = &recognition::form(&world, options);
    let exit = options.exit_code.map_or(Exit::Unknown, Exit::Code);
    let task = TaskEnd::reported(options.container(), exit, world.now());
    let context = Context { world: &world, options, task: &task, patience: Patience::Once, grace: Some(options.grace_period) };
    let verdict = sequence::run(&context, Sidecar::new(&world, options, None));
    verdict.publish(&task, options);
    verdict.proxy != ProxyOutcome::Stays
}
