//! `exec -- COMMAND`: around the command of the task, for images that the user can change. It waits for the proxy, is an init process to
//! the command, shuts the proxy down, and ends as the command has ended.
//!
//! The command cannot tell that the agent is there. A helper, which is a fork, does everything that takes time or can fail. The init
//! process itself only waits for signals and children, so that no signal waits and the exit status of the command is never lost.

use std::ffi::OsString;
use std::process::Command;

use rustix::process::getuid;

use crate::options::Options;
use crate::os::Linux;
use crate::os::sys::process::Signals;
use crate::proxy::{Sidecar, readiness};

mod helper;
mod init;
mod program;
mod stage;
mod terminal;

use self::init::Init;

/// Runs the command of `options`. Returns the exit code. Without a proxy the command replaces this process, and this does not return.
#[must_use]
pub fn run(options: &Options) -> u8 {
    // First: all signals from now on are for the command.
    let signals = Signals::block();
    let world = Linux::new();
    let mut sidecar = Sidecar::new(&world, options, Some(getuid().as_raw()));
    if readiness::has_proxy(&world, &mut sidecar, options) {
        return Init::new(&world, options, signals, sidecar).run();
    }
    drop(sidecar);
    drop(world);
    signals.unblock();
    program::replace_process(&mut command(options))
}

fn command(options: &Options) -> Command {
    let mut words = options.command.iter();
    let mut command = Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
    command.args(words);
    command
}
