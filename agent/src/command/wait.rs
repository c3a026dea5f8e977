//! `wait`: until the proxy can carry traffic. For an init script, a probe, or a line before the command of the task.

use std::process::ExitCode;

use log::{info, warn};

use super::EX_UNAVAILABLE;
use crate::options::Options;
use crate::os::Linux;
use crate::proxy::{Sidecar, readiness};

/// Waits until the proxy is ready. Without a proxy there is nothing to wait for.
pub(super) fn run(options: &Options) -> ExitCode {
    let world = Linux::new();
    let mut sidecar = Sidecar::new(&world, options, None);
    if !readiness::has_proxy(&world, &mut sidecar, options) {
        info!("there is no proxy, so there is nothing to wait for");
        return ExitCode::SUCCESS;
    }
    match readiness::wait(&world, &sidecar, options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            warn!("{why}");
            ExitCode::from(EX_UNAVAILABLE)
        }
    }
}
