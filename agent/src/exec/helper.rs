//! The work of the helper, a fork of the init process: it can take time, and it can fail.

use core::time::Duration;

use log::{LevelFilter, warn};
use pod::pidfd::Exit;
use rustix::process::{Signal, set_parent_process_death_signal};

use super::stage::EX_UNAVAILABLE;
use crate::options::{LogLevel, NotReady, Options};
use crate::os::linux::own_pid;
use crate::os::log::{hold, release, set_level};
use crate::os::{Linux, World};
use crate::proxy::telemetry::spans;
use crate::proxy::{Sidecar, readiness, recognition};
use crate::shutdown::{Context, Patience, ProxyOutcome, TaskEnd, sequence};

/// Waits until the proxy is ready. It writes a line only if the proxy is not ready in time.
pub(super) fn wait_for_proxy(world: &Linux, options: &Options, sidecar: &Sidecar<'_, Linux>) -> u8 {
    // Without the init process, the result is of no use.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let Err(why) = readiness::wait(world, sidecar, options) else {
        // The command has not started, so there is no span yet. Envoy keeps the setting, and tells it at the end.
        let _ = spans::send_at_once(world, options, true);
        return 0;
    };
    let then = match options.not_ready {
        NotReady::GoOn => "the command starts anyway",
        NotReady::Fail => "the command does not start",
    };
    warn!("{why}; {then}");
    EX_UNAVAILABLE
}

/// Shuts the proxy down, as `complete` does. The task has ended by `exit`. `grace` is what is left of the grace period when SIGTERM comes.
pub(super) fn shut_down(world: &Linux, options: &Options, sidecar: Sidecar<'_, Linux>, exit: Exit, grace: Duration) -> u8 {
    let only_trouble = options.log == LogLevel::Trouble;
    if only_trouble {
        // If the shutdown fails, its steps are of interest too.
        set_level(LevelFilter::Info);
        hold();
    }
    world.block_termination();
    let options = &recognition::form(world, options);
    let own = world.proc().container(own_pid()).map(|container| container.name);
    let task = TaskEnd::reported(options.container().or(own.as_deref()), exit, world.now());
    let context = Context { world, options, task: &task, patience: Patience::Once, grace: Some(grace) };
    let verdict = sequence::run(&context, sidecar);
    let trouble = verdict.proxy == ProxyOutcome::Stays;
    if trouble {
        release();
    }
    // With a file for the verdict, the user wants one.
    if trouble || !only_trouble || options.termination_log.is_some() {
        verdict.publish(&task, options);
    }
    if trouble { EX_UNAVAILABLE } else { 0 }
}
