//! `exec -- CMD`: around the task's own command, where images are ours to change. Waits for the proxy, is a faithful init to the
//! command, sees the proxy out, and ends as the command has ended.
//!
//! The law of this room: the command cannot tell that we are there. Whatever takes time or may fail is done by a helper, a fork of
//! ours; who waits for signals and children does nothing else, so that none is late and the command's exit status is never lost.

use std::ffi::OsString;
use std::process::Command;

use rustix::process::getuid;

use crate::options::Options;
use crate::readiness;
use crate::sidecar::Sidecar;
use crate::sys::process::Signals;

mod helper;
mod init;
mod program;
mod stage;
mod terminal;

use self::init::Init;

/// Runs the command of `options`. The code to end with; where there is no proxy the command takes our place, and this does not come
/// back.
pub(crate) fn run(options: &Options) -> u8 {
    // First of all: what comes from now on is the command's.
    let signals = Signals::hold();
    let mut sidecar = Sidecar::new(options, Some(getuid().as_raw()));
    if readiness::has_proxy(&mut sidecar, options) {
        return Init::new(options, signals, sidecar).run();
    }
    drop(sidecar);
    signals.release();
    program::replace_us(&mut command(options))
}

fn command(options: &Options) -> Command {
    let mut words = options.command.iter();
    let mut command = Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
    command.args(words);
    command
}
