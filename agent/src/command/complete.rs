//! `complete`: called when the work of the main container is done, by the last line of a script or by a person.

use std::process::ExitCode;

use drain::wire::Action;
use log::{info, warn};
use pod::pidfd::Exit;

use super::{EX_TEMPFAIL, EX_UNAVAILABLE, others};
use crate::options::Options;
use crate::os::{Linux, World};
use crate::proxy::{Sidecar, recognition};
use crate::shutdown::{Context, Patience, ProxyOutcome, TaskEnd, sequence, verdict};

/// Looks who else may need the proxy, then shuts it down, and tells whether it has ended or kubelet ends it.
pub(super) fn run(options: &Options) -> ExitCode {
    let world = Linux::new();
    let options = &recognition::once(&world, options);
    if options.action() == Action::Quit {
        info!("to do: drain istio-proxy, then end it ({})", options.reason());
        let objections = others::objections(&world, options);
        if !objections.is_empty() && !options.force {
            verdict::refuse(&objections, options);
            return ExitCode::from(EX_TEMPFAIL);
        }
        for objection in objections {
            warn!("{objection}; --force was given");
        }
    } else {
        info!("to do: drain istio-proxy, and leave it running ({})", options.reason());
    }
    let exit = options.exit_code.map_or(Exit::Unknown, Exit::Code);
    let task = TaskEnd::reported(options.container(), exit, world.now());
    let context = Context { world: &world, options, task: &task, patience: Patience::Once, grace: Some(options.grace_period) };
    let verdict = sequence::run(&context, Sidecar::new(&world, options, None));
    verdict.publish(&task, options);
    if verdict.proxy == ProxyOutcome::Stays { ExitCode::from(EX_UNAVAILABLE) } else { ExitCode::SUCCESS }
}
