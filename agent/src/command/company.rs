//! Whether a native agent stands in the way of its pod. A webhook or a policy that removes `restartPolicy: Always` makes it a plain init
//! container, and kubelet creates nothing behind such a container before it has ended: without this the pod would wait for the agent, and
//! the agent for the pod.
//!
//! A container that kubelet creates after the agent shows that the agent is a native sidecar. The image of that container can take long,
//! so an agent without company ends only once, and leaves a mark: kubelet starts a native sidecar again.

use drain::duration;
use log::debug;

use crate::options::Options;
use crate::os::world::Source;
use crate::os::{Linux, World, mark};
use crate::shutdown::verdict;

/// Waits until kubelet creates another container, at most for `--late-start`. Returns whether the agent must end, so that its pod can start.
/// It has said so then.
pub(super) fn is_missing(world: &Linux, options: &Options) -> bool {
    if !options.is_native() || mark::is_native() || mark::is_there() {
        return false;
    }
    let start = world.now();
    loop {
        let Some(creations) = world.creations() else { return false };
        if creations.count > 0 {
            mark::record_native();
            return false;
        }
        if world.terminated_at(Source::Kernel).is_some() {
            // After this the agent ends with 0, and then only a native sidecar is started again: that one need not wait.
            mark::record_native();
            return false;
        }
        let left = options.late_start.saturating_sub(world.now().since(start));
        if left.is_zero() {
            return end(options);
        }
        world.wait_start(&[], Some(left));
    }
}

/// Says why the agent ends, and leaves the mark. Without a mark a native sidecar would end again and again.
fn end(options: &Options) -> bool {
    if let Err(error) = mark::leave() {
        debug!("no mark for a restart of the agent: {error}");
        return false;
    }
    let reason = format!(
        "kubelet has created no other container within {} of the agent's start. If the agent is an init container without \
         restartPolicy: Always, the pod waits for its end: it ends now, and the task runs without it. Look at the spec of the pod: a \
         webhook or a policy may have removed restartPolicy. If the agent is a native sidecar, kubelet starts it again",
        duration::display(options.late_start)
    );
    verdict::refuse(&[reason], options);
    true
}
