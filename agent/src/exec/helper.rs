//! What is done by a fork of ours: it may take its time, and it may fail.

use core::time::Duration;

use pod::pidfd::Exit;
use rustix::process::{Signal, set_parent_process_death_signal};

use super::stage::EX_UNAVAILABLE;
use crate::clock::Clock;
use crate::ending::Ending;
use crate::farewell;
use crate::ladder::Patience;
use crate::log;
use crate::options::{NotReady, Options, Talk};
use crate::readiness;
use crate::sidecar::Sidecar;
use crate::termination::Termination;
use crate::verdict::Fate;

/// Waits until the proxy is ready. Only its time being up is worth a word.
pub(super) fn wait_for_proxy(options: &Options, sidecar: &Sidecar) -> u8 {
    // Without us nobody would want to know.
    let _ = set_parent_process_death_signal(Some(Signal::KILL));
    let Err(why) = readiness::wait(sidecar, options) else { return 0 };
    let then = match options.not_ready {
        NotReady::GoOn => "the command is started all the same",
        NotReady::Fail => "the command is not started",
    };
    log::line(&format!("{why}; {then}"));
    EX_UNAVAILABLE
}

/// Sees the proxy out, as `complete` does: the task has ended by `exit`. SIGTERM begins the grace period, of which `grace` is left.
pub(super) fn see_out(options: &Options, sidecar: Sidecar, exit: Exit, grace: Duration) -> u8 {
    let clock = Clock::start();
    let began = clock.now();
    if options.talk == Talk::Trouble {
        log::hold_back();
    }
    let termination = Termination::hold(grace);
    let mut ending = Ending::new(options, sidecar, clock, began, exit).within(&termination);
    let verdict = farewell::see_out(&mut ending, Patience::Once);
    let trouble = verdict.fate == Fate::Stays;
    if trouble {
        log::tell();
    }
    // Whoever names a file for the verdict wants it told.
    if trouble || options.talk == Talk::All || options.termination_log.is_some() {
        verdict.publish(&ending);
    }
    if trouble { EX_UNAVAILABLE } else { 0 }
}
