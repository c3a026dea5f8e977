//! `wait`: until the proxy can carry traffic. For an init script, a probe, or a line before the command of the task.

use log::{info, warn};

use crate::options::Options;
use crate::os::Linux;
use crate::proxy::{Sidecar, readiness};

/// Waits. Returns whether the proxy is ready, or there is none.
pub(super) fn run(options: &Options) -> bool {
    let world = Linux::new();
    let mut sidecar = Sidecar::new(&world, options, None);
    if !readiness::has_proxy(&world, &mut sidecar, options) {
        info!("there is no proxy, so there is nothing to wait for");
        return true;
    }
    let ready = readiness::wait(&world, &sidecar, options);
    if let Err(why) = &ready {
        warn!("{why}");
    }
    ready.is_ok()
}
