//! The last step: the proxy has ended, and the kernel may still hold bytes for it and for the task. The pod's network ends with the last
//! container of the pod, so the agent stays until they are sent.

use core::time::Duration;

use pod::delivery::Held;

use super::context::Context;
use super::times;
use crate::os::World;
use crate::proxy::Sidecar;

/// The result of a flush.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flushed {
    /// What the kernel held just after the end of the proxy.
    pub(super) first: Held,
    /// What it held at the end of the flush.
    pub(super) last: Held,
    /// How long the flush took.
    pub(super) took: Duration,
}

/// Stays until the kernel has sent everything, nothing moves for the stall timeout, or the time is over.
///
/// Calls `on_sigterm` once if SIGTERM comes: in a deleted pod, a native sidecar may have only the last two seconds of the grace period
/// (Kubernetes, `pkg/kubelet/kuberuntime`, `minimumGracePeriodInSeconds`), and nothing tells it.
pub(super) fn flush<W: World>(context: &Context<'_, W>, sidecar: &mut Sidecar<'_, W>, on_sigterm: impl Fn(Flushed)) -> Flushed {
    let start = context.world.now();
    let mut called = false;
    let limit = context.limits().drain_timeout.max(times::FIN);
    let first = sidecar.look_behind();
    let (mut last, mut moved) = (first, start);
    loop {
        let now = context.world.now();
        let so_far = Flushed { first, last, took: now.since(start) };
        if !called && context.is_asked_to_leave() {
            called = true;
            on_sigterm(so_far);
        }
        let only_fin = last.bytes == 0 && so_far.took >= times::FIN;
        let stalled = now.since(moved) >= context.options.stall_timeout;
        // SIGTERM may have come during the flush. The margin of the grace period has time for the FINs.
        let must_leave = context.must_leave() && so_far.took >= times::FIN;
        if last.is_idle() || only_fin || stalled || must_leave || so_far.took >= limit {
            return so_far;
        }
        context.world.sleep(sidecar.pause());
        let left = sidecar.look_behind();
        if left != last {
            moved = context.world.now();
        }
        last = left;
    }
}
