//! `wait`: until the proxy can carry traffic. For an init script, a probe, or a line before the task's own.

use crate::log;
use crate::options::Options;
use crate::readiness;
use crate::sidecar::Sidecar;

/// Waits. Whether the proxy is ready, or there is none.
pub(crate) fn run(options: &Options) -> bool {
    let mut sidecar = Sidecar::new(options, None);
    if !readiness::has_proxy(&mut sidecar, options) {
        log::line("there is no proxy, so there is nothing to wait for");
        return true;
    }
    let ready = readiness::wait(&sidecar, options);
    if let Err(why) = &ready {
        log::line(why);
    }
    ready.is_ok()
}
